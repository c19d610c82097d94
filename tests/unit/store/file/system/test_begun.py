"""How far an owner has come, in its life sign."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

import pytest
from hourwheel.errors import StoreError, StoreReentered
from hourwheel.store.file.system import begun
from hourwheel.store.file.system.begun import Mark, read_mark
from hourwheel.store.file.system.lock import LifeSigns
from hourwheel.store.file.system.system import System


def mark_in(path: Path, system: System) -> Mark:
    return Mark(system, system.open(str(path), 0o102, 0o600), 7)  # O_RDWR | O_CREAT


def test_the_newest_token_stands(tmp_path: Path) -> None:
    system = System()
    mark = mark_in(tmp_path / "sign", system)
    for token in (3, 5, 4):
        mark.begun(token)
    assert read_mark(system, str(tmp_path / "sign")) == (5, 7)


def test_a_handler_that_swept_as_a_job_was_marked_hung_the_process(tmp_path: Path) -> None:
    system = System()
    mark = mark_in(tmp_path / "sign", system)
    assert mark._open is not None
    whole, said = mark._open, []

    def interrupted(token: int) -> None:
        with pytest.raises(StoreReentered) as caught:
            mark.begun(9)
        said.append(caught.value)
        whole.write(token)

    mark._open = whole._replace(write=interrupted)
    mark.begun(3)
    assert len(said) == 1
    mark._open = whole
    mark.begun(4)
    assert read_mark(system, str(tmp_path / "sign")) == (4, 7)


def test_nothing_is_written_into_a_file_that_has_the_number_next(tmp_path: Path) -> None:
    mark = mark_in(tmp_path / "sign", System())
    mark.end()
    assert mark.ended
    with pytest.raises(StoreError, match="not shown any more"):
        mark.begun(1)


def test_a_file_that_is_closed_before_it_was_shown_ends_only_a_mark_that_is_in_it(tmp_path: Path) -> None:
    mark = mark_in(tmp_path / "sign", System())
    assert mark._open is not None
    mark.end(mark._open.fd + 1)
    assert not mark.ended
    mark.end(mark._open.fd)
    assert mark.ended


def test_ctrl_c_in_a_claim_left_the_workers_own_sign_locked_to_it(tmp_path: Path) -> None:
    system, path = System(), str(tmp_path / "sign")
    signs, right = LifeSigns(system), system.fstat

    def interrupted(fd: int) -> NoReturn:
        raise KeyboardInterrupt

    system.fstat = interrupted  # type: ignore[method-assign,assignment]
    with pytest.raises(KeyboardInterrupt):
        signs.show(path)
    system.fstat = right  # type: ignore[method-assign]
    signs.show(path)
    signs.close(remove=True)


def test_ctrl_c_as_a_sign_was_shown_again_left_a_mark_that_wrote_into_whatever_file_had_the_number_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_system: System, _fd: int) -> NoReturn:
        raise KeyboardInterrupt

    system = System()
    mark = mark_in(tmp_path / "sign", system)
    fd = system.open(str(tmp_path / "again"), 0o102, 0o600)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(begun, "_token_of", interrupted)
        mark.move(fd)
    system.close(fd)
    other = system.open(str(tmp_path / "other"), 0o102, 0o600)
    assert other == fd
    mark.begun(3)
    assert (tmp_path / "other").read_bytes() == b""
    assert read_mark(system, str(tmp_path / "sign")) == (3, 7)
