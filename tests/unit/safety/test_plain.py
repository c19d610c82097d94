"""Names and messages of strangers cannot repaint an operator's terminal, nor forge a line of the log."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hourwheel import Scheduler
from hourwheel.cli import main
from hourwheel.job import Job
from hourwheel.testing import FakeClock
from hourwheel.worker import log

EVIL = "\x1b[2J\x1b]0;owned\x07\r\n[2026-11-30: ERROR/MainThread] root: all is lost\x9b31m\u202e"


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """What a handler of the program writes."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter(log.FORMAT))
    logger = logging.getLogger("hourwheel")
    logger.addHandler(handler)
    level = logger.level
    logger.setLevel(logging.DEBUG)
    yield stream
    logger.removeHandler(handler)
    logger.setLevel(level)


def is_harmless(text: str) -> bool:
    return all(sign.isprintable() or sign in "\n\t" for sign in text) and "\n[2026-11-30: ERROR" not in text


def raises(kind: type[BaseException]) -> Any:
    def task() -> None:
        try:
            raise KeyError(EVIL)
        except KeyError as error:
            raise kind(EVIL) from error

    return task


def test_an_exception_s_message_does_not_forge_a_line_of_the_log(lines: io.StringIO) -> None:
    app = Scheduler("memory:", clock=FakeClock(1_000_000))
    app.task(name="fails", max_retries=0)(raises(ValueError))
    app.task(name="retried", autoretry_for=(ValueError,), max_retries=1)(raises(ValueError))
    app.task(name="returns")(lambda: EVIL)
    for name in ("fails", "retried", "returns", "nobody" + "knows"):
        app.send_task(name)
    app.store.add([Job(id="late", task="fails", due_ms=1, expires_ms=2)], 0)

    @app.on.failed
    def hook(*_: object) -> None:
        raise RuntimeError(EVIL)

    app.run_due()
    app.close()
    told = lines.getvalue()
    assert "ValueError" in told
    assert "Traceback" in told
    assert "\\x1b[2J" in told
    assert is_harmless(told), told


def test_a_name_in_a_store_does_not_repaint_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], lines: io.StringIO
) -> None:
    app = Scheduler(tmp_path / "tasks.json")
    app.store.add([Job(id="a", task="t" + EVIL, due_ms=1, queue="q" + EVIL, reason=EVIL)], 0)
    app.run_due()
    app.close()
    assert is_harmless(lines.getvalue())
    for words in (["jobs"], ["stats"], ["why", "a", "--store"], ["show", "a", "--store"], ["agenda"], ["check"]):
        main([*words, str(tmp_path / "tasks.json")])
    main(["show", EVIL, "--store", str(tmp_path / "tasks.json")])
    main(["jobs", f"{EVIL}.json"])
    main([EVIL])
    out, err = capsys.readouterr()
    assert is_harmless(out), out
    assert is_harmless(err), err


def test_what_is_logged_of_our_own_is_shown_as_it_is(lines: io.StringIO) -> None:
    log.LOG.info("%r, %s, %d, %.1f, %s", [1, "a"], "text", 3, 0.5, None)
    log.LOG.info("%(name)s", {"name": "by name"})
    assert "[1, 'a'], text, 3, 0.5, None\n" in lines.getvalue()
    assert "by name\n" in lines.getvalue()
