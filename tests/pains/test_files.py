"""G: the file itself: what a power failure leaves, and what a look at it does."""

from __future__ import annotations

from pathlib import Path

import pytest
import simplejson
from hourwheel import Scheduler, StoreFormatError
from hourwheel.cli import main
from hourwheel.store import JsonStore
from hourwheel.testing import FakeClock

from .conftest import Opened


def mail(app: Scheduler) -> None:
    for number in range(3):
        app.send_task("mail", (number,), countdown=60)


def journal_of(directory: Path) -> Path:
    (journal,) = directory.glob("tasks.json.journal.*")
    return journal


@pytest.mark.usefixtures("not_folded")
@pytest.mark.parametrize("zeros", [1, 511, 4096])
def test_tinydb_461_zeros_where_a_power_failure_had_been(tmp_path: Path, another: Opened, zeros: int) -> None:
    """Also lowdb #549. Blocks that the file has grown by, and that were never written, read as zeros."""
    app = another()
    mail(app)
    app.close()
    journal = journal_of(tmp_path)
    journal.write_bytes(journal.read_bytes().rstrip(b"\n") + b"\n" + bytes(zeros))
    app = another()
    assert [job.args for job in app.store.scan()] == [(0,), (1,), (2,)]
    app.send_task("mail", (3,), countdown=60)
    assert [job.args for job in another().store.scan()] == [(0,), (1,), (2,), (3,)]


def test_tinydb_113_a_shorter_text_over_a_longer_one_left_its_end_behind(tmp_path: Path, clock: FakeClock) -> None:
    """Also tinydb #91, #215: a file that is written over in place. A snapshot is replaced as a whole."""
    path = tmp_path / "tasks.json"
    store = JsonStore(path, clock=clock, durability="os")
    app = Scheduler(store, clock=clock)
    app.task(name="mail")(lambda *args: None)
    app.schedule_many(app.registry.get("mail"), [(("x" * 1000,), {}) for _ in range(50)], result_ttl=0)
    store.compact()
    assert path.stat().st_size > 50_000
    app.run_due()
    clock.advance(1)
    store.compact()
    store.close()
    assert path.stat().st_size < 1_000
    assert simplejson.loads(path.read_text())["finished"] == []
    again = JsonStore(path, clock=clock)
    assert (again.scan(), again.check(), again.stats(0).accepted) == ([], [], 50)
    again.close()


def test_tinydb_467_a_write_that_broke_off_had_replaced_the_good_file(tmp_path: Path, another: Opened) -> None:
    """A snapshot is written aside; what is left of a half one is nobody's store."""
    app = another()
    mail(app)
    app.store.compact()  # type: ignore[attr-defined]
    app.close()
    whole = (tmp_path / "tasks.json").read_bytes()
    (tmp_path / "tasks.json.next").write_bytes(whole[: len(whole) // 2])
    app = another()
    assert len(app.store.scan()) == 3
    app.store.compact()  # type: ignore[attr-defined]
    assert len(another().store.scan()) == 3


def test_apscheduler_99_to_print_the_jobs_deleted_those_it_could_not_read(
    tmp_path: Path, another: Opened, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also django-apscheduler #188. Nobody here knows the task, and the file is byte for byte as it was."""
    mail(another())
    files = {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    path = str(tmp_path / "tasks.json")
    for words in (["jobs", path], ["stats", path], ["ring", path], ["check", path]):
        assert main(words) == 0
    assert capsys.readouterr().out.count("mail") >= 3
    assert {path: path.read_bytes() for path in files} == files


def test_apscheduler_465_another_version_had_another_schema_and_one_was_to_start_from_scratch(
    tmp_path: Path, another: Opened, clock: FakeClock
) -> None:
    """A file of a newer version is refused and left as it is; for those of an older one: tests/unit/store."""
    app = another()
    mail(app)
    app.store.compact()  # type: ignore[attr-defined]
    app.close()
    path = tmp_path / "tasks.json"
    ours = path.read_bytes()
    newer = ours.replace(b'"min_reader":1', b'"min_reader":9', 1)
    path.write_bytes(newer)
    with pytest.raises(StoreFormatError, match="newer"):
        Scheduler(path, clock=clock).store.scan()
    assert path.read_bytes() == newer
    path.write_bytes(ours)
