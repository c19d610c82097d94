"""accept_edit(): a snapshot that a person has changed is taken if what it says can be true, and refused with its place."""

from __future__ import annotations

import errno
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import simplejson
from hourwheel.errors import HourwheelError, StoreBusy, StoreCorrupt, StoreFormatError, StoreIncomplete
from hourwheel.job import State
from hourwheel.store import JsonStore
from hourwheel.store.file.repair import EditRefused, accept_edit
from hourwheel.store.file.system.system import System
from hourwheel.testing import FakeClock

from .conftest import DAY_MS, NOW_MS, Made, job, jobs_in

Edit = Callable[[str], str]


def edit(made: Made, change: Edit) -> bytes:
    """Change the snapshot as an editor would; returns what was written."""
    text = change(made.path.read_text())
    assert text != made.path.read_text()
    made.path.write_text(text, newline="")
    return made.path.read_bytes()


def refused(made: Made, change: Edit) -> EditRefused:
    """The error for an edit, which must leave every file as it is."""
    edit(made, change)
    before = made.files()
    with pytest.raises(EditRefused) as caught:
        accept_edit(made.path)
    assert made.files() == before
    assert str(caught.value) == f"{made.path}:{caught.value.line}:{caught.value.column}: {caught.value.reason}"
    return caught.value


def line_of(made: Made, words: str) -> int:
    return made.path.read_text().split(words)[0].count("\n") + 1


def without(id: str) -> Edit:
    """The edit that takes a job's line out, with the comma that it leaves."""

    def change(text: str) -> str:
        text = re.sub(rf'\{{"id":"{id}".*\n', "", text)
        return text.replace("},\n]", "}\n]")

    return change


def other_due(id: str, due_ms: int) -> Edit:
    return lambda text: re.sub(rf'("id":"{id}","due_ms":)\d+', rf"\g<1>{due_ms}", text)


# ---- what is taken ---------------------------------------------------------------------------------------


def test_a_snapshot_as_it_was_written_needs_no_accepting(made: Made) -> None:
    before = made.files()
    assert accept_edit(made.path) is None
    assert made.files() == before


def test_the_store_refuses_an_edit_until_it_is_accepted(made: Made) -> None:
    edited = edit(made, other_due("s7", NOW_MS + DAY_MS))
    with pytest.raises(StoreCorrupt, match="accept-edit"):
        JsonStore(made.path)
    accepted = accept_edit(made.path)
    assert accepted is not None
    assert accepted.kept_as == f"{made.path}.before-edit"
    assert Path(accepted.kept_as).read_bytes() == edited
    expected = made.jobs | {"s7": made.jobs["s7"]._replace(due_ms=NOW_MS + DAY_MS)}
    assert jobs_in(made.path) == expected
    assert not list(made.path.parent.glob("*.edited*"))


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("\n", "\r\n"),
        lambda text: "\ufeff" + text,
        lambda text: simplejson.dumps(simplejson.loads(text), indent=4),
        lambda text: simplejson.dumps(simplejson.loads(text), separators=(",", ":")),
        lambda text: simplejson.dumps(simplejson.loads(text), sort_keys=True, indent="\t") + "\n\n",
        lambda text: text.replace('"task":"app.remind",', '"task" : "app.\\u0072emind" , '),
    ],
)
def test_another_layout_is_the_same_store(made: Made, change: Edit) -> None:
    edit(made, change)
    assert accept_edit(made.path) is not None
    assert jobs_in(made.path) == made.jobs


def test_a_job_may_be_taken_out(made: Made) -> None:
    edit(made, without("s8"))
    accept_edit(made.path)
    assert jobs_in(made.path) == {id: found for id, found in made.jobs.items() if id != "s8"}


def test_a_job_may_be_put_in(made: Made) -> None:
    new = '{"id":"mine","due_ms":%d,"task":"app.hello","payload":[["w\\u00f6rld"],{"n":1.5}]}' % (NOW_MS + DAY_MS)
    edit(made, lambda text: text.replace('{"id":"s9"', new + ',\n{"id":"s9"'))
    accept_edit(made.path)
    found = jobs_in(made.path)["mine"]
    assert (found.task, found.args, found.kwargs, found.state) == ("app.hello", ("wörld",), {"n": 1.5}, State.SCHEDULED)


def test_a_failed_job_may_be_put_back_into_the_ring(made: Made) -> None:
    def change(text: str) -> str:
        [line] = re.findall(r'\{"id":"s2".*\n', text)
        again = '{"id":"s2","due_ms":%d,"task":"app.remind","attempt":1,"token":3}' % (NOW_MS + DAY_MS)
        return text.replace(line, "").replace('{"id":"s9"', again + ',\n{"id":"s9"').replace("},\n]", "}\n]")

    edit(made, change)
    accept_edit(made.path)
    found = jobs_in(made.path)["s2"]
    assert (found.state, found.attempt, found.due_ms) == (State.SCHEDULED, 1, NOW_MS + DAY_MS)


def test_fields_that_this_version_does_not_know_are_kept(made: Made) -> None:
    edit(made, lambda text: text.replace('"id":"s9",', '"id":"s9","colour":"blue",'))
    accept_edit(made.path)
    assert jobs_in(made.path)["s9"].extra == '{"colour":"blue"}'


def test_an_edit_of_the_counts_is_put_right(made: Made) -> None:
    edit(made, lambda text: text.replace('"scheduled":7', '"scheduled":70').replace('"accepted":10', '"accepted":9'))
    accept_edit(made.path)
    store = JsonStore(made.path, clock=FakeClock(NOW_MS))
    stats = store.stats(NOW_MS)
    store.close()
    assert stats.accepted == 16


def test_edits_can_follow_one_another_and_each_is_kept(made: Made) -> None:
    first = edit(made, other_due("s7", NOW_MS + DAY_MS))
    accept_edit(made.path)
    second = edit(made, other_due("s7", NOW_MS + 2 * DAY_MS))
    accepted = accept_edit(made.path)
    assert accepted is not None
    assert accepted.kept_as == f"{made.path}.before-edit.2"
    assert Path(f"{made.path}.before-edit").read_bytes() == first
    assert Path(accepted.kept_as).read_bytes() == second


def test_the_one_file_of_a_store_that_was_closed_can_be_edited(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hourwheel.store.file.newest.SMALL", 2 << 20)
    JsonStore(made.path, clock=FakeClock(NOW_MS)).close()
    assert list(made.path.parent.glob("tasks.json.journal.*")) == []
    edit(made, other_due("n3", NOW_MS + 2 * DAY_MS))
    accept_edit(made.path)
    assert jobs_in(made.path) == made.jobs | {"n3": made.jobs["n3"]._replace(due_ms=NOW_MS + 2 * DAY_MS)}


def test_accepting_an_edit_took_a_missing_journal_for_an_empty_one(made: Made) -> None:
    made.journal.unlink()
    edit(made, other_due("s7", NOW_MS + 2 * DAY_MS))
    before = made.files()
    with pytest.raises(StoreIncomplete, match="is missing"):
        accept_edit(made.path)
    assert made.files() == before


def test_whoever_has_the_store_open_goes_on_with_the_edited_one(made: Made) -> None:
    producer = JsonStore(made.path, clock=FakeClock(NOW_MS))
    old = made.path.with_name("old")
    made.path.rename(old)  # as editors save: the old file stays what it is for those who have it open
    made.path.write_text(other_due("s7", NOW_MS + DAY_MS)(old.read_text()))
    accept_edit(made.path)
    assert producer.get(["s7"])[0] == made.jobs["s7"]._replace(due_ms=NOW_MS + DAY_MS)
    producer.add([job("later", NOW_MS + DAY_MS)], 0)
    producer.close()
    assert "later" in jobs_in(made.path)


# ---- what is refused -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda text: text.replace('"payload":[[1,"x"],{}]}\n]\n}\n},', '"payload":[[1,"x"],{}]},\n]\n}\n},'), "value"),
        (lambda text: text.replace('"running":[', '"running":['[:-1]), r"\[ was expected"),
        (lambda text: text.removesuffix("}\n"), "the file ends here"),
        (lambda text: text + "x", "more text follows"),
        (lambda text: text.replace('"ring":{', '"ring":{"4000":{},'), "from 0 to 3599"),
        (lambda text: text.replace('"ring":{', '"ring":{"12":{"x":[]},'), "a cycle must be a number"),
        (lambda text: text.replace('"ring":{', '"colour":1,"ring":{'), "'colour' is not part of a store"),
        (lambda text: text.replace('"ring":{', '"epoch":1,"ring":{'), "'epoch' is in the document twice"),
        (lambda text: text.replace('"epoch":2', '"epoch":"two"'), "epoch in the header must be a whole number"),
    ],
)
def test_what_is_no_document_of_a_store_is_refused(made: Made, change: Edit, reason: str) -> None:
    assert re.search(reason, refused(made, change).reason)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('"task":"app.remind"', '"task":7', "task must be a string that is not empty, got 7"),
        ('"task":"app.remind",', "", "a job must have 'task'"),
        ('"due_ms":19', '"due_ms":-19', "due_ms must be whole milliseconds"),
        ('"due_ms":19', '"due_ms":1.9,"x":19', "due_ms must be whole milliseconds"),
        ('"due_ms"', '"id":"s9","due_ms"', "'id' is in an object twice"),
        ('[[1,"x"],{}]', '[[1,"x"]]', "payload must be"),
        ('[[1,"x"],{}]', "[[1e400],{}]", "args"),
        ('[[1,"x"],{}]', "[[NaN],{}]", "[Ee]xpecting"),
        ('"payload"', '"priority":true,"payload"', "priority must be a whole number"),
        ('"payload"', '"max_crashes":0,"payload"', "max_crashes must be"),
        ('"payload"', '"error":["x"],"payload"', "error must be"),
        ('"payload"', '"state":"asleep","payload"', "state must be one of scheduled, running"),
        ('"payload"', '"state":"failed","payload"', "is in 'ring', but its state is failed"),
        ('"created_ms"', '"created_ms" "', "':' delimiter"),
    ],
)
def test_a_job_that_breaks_a_rule_is_refused_with_its_line(made: Made, old: str, new: str, reason: str) -> None:
    def change(text: str) -> str:
        head, tail = text.split('{"id":"s9"')
        return head + '{"id":"s9"' + tail.replace(old, new, 1)

    error = refused(made, change)
    assert re.search(reason, error.reason), error.reason
    assert error.line == line_of(made, '{"id":"s9"')


def test_the_place_of_a_mistake_is_told_to_the_column(made: Made) -> None:
    error = refused(made, lambda text: text.replace('"task":"app.remind"', '"task":app.remind"', 1))
    line = made.path.read_text().split("\n")[error.line - 1]
    assert line[error.column - 1 :].startswith("app.remind")


def test_an_id_that_stands_twice_is_refused_with_both_places(made: Made) -> None:
    error = refused(made, lambda text: text.replace('{"id":"s9"', '{"id":"s8"'))
    first = line_of(made, '{"id":"s8"')
    assert f"the first is in line {first}" in error.reason
    assert error.line > first


def test_an_id_that_the_journal_adds_as_well_is_refused(made: Made) -> None:
    error = refused(made, lambda text: text.replace('{"id":"s9"', '{"id":"n5"'))
    assert "in the journal already" in error.reason
    assert error.line == line_of(made, '{"id":"n5"')


def test_a_job_that_has_run_since_cannot_be_taken_out(made: Made) -> None:
    error = refused(made, without("s3"))
    assert "does not fit what has happened since" in error.reason
    assert "s3" in error.reason


def test_two_jobs_with_one_key_are_refused(made: Made) -> None:
    assert "key 'key6' is held by 2" in refused(made, lambda text: text.replace('"key9"', '"key6"')).reason


def test_bytes_that_are_no_text_are_refused(made: Made) -> None:
    at = made.path.read_bytes().index(b"remind", made.path.read_bytes().index(b'{"id":"s9"'))
    made.damage(made.path, at, b"\xff\xfe")
    with pytest.raises(EditRefused, match="not UTF-8") as caught:
        accept_edit(made.path)
    assert caught.value.line == made.path.read_bytes()[:at].count(b"\n") + 1


def test_the_document_of_another_program_is_refused(made: Made) -> None:
    edit(made, lambda text: text.replace('"format":"hourwheel"', '"format":"tinydb"'))
    with pytest.raises(StoreFormatError, match="not an Hourwheel store"):
        accept_edit(made.path)


def test_a_store_of_a_newer_hourwheel_is_refused(made: Made) -> None:
    edit(made, lambda text: text.replace('"min_reader":1', '"min_reader":9'))
    with pytest.raises(StoreFormatError, match="newer Hourwheel"):
        accept_edit(made.path)


def test_a_store_with_a_worker_on_it_is_refused(made: Made) -> None:
    worker = JsonStore(made.path, clock=FakeClock(NOW_MS))
    worker.claim("busy-worker", NOW_MS, 0)
    edit(made, other_due("s7", NOW_MS + DAY_MS))
    with pytest.raises(StoreBusy, match="busy-worker is running"):
        accept_edit(made.path)
    worker.close()
    assert accept_edit(made.path) is not None


def test_a_store_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        accept_edit(tmp_path / "none.json")
    assert list(tmp_path.iterdir()) == []


def test_the_rubbish_of_a_killed_attempt_is_no_hindrance(made: Made) -> None:
    Path(f"{made.path}.edited").write_bytes(b"half")
    edit(made, other_due("s7", NOW_MS + DAY_MS))
    assert accept_edit(made.path) is not None
    assert not Path(f"{made.path}.edited").exists()


# ---- when the disk fails, or the process dies ------------------------------------------------------------------


class FailingAt(System):
    """The call with this number fails, and so do all after it if the process is to have died there."""

    def __init__(self, number: int, *, dies: bool) -> None:
        self.left = number
        for name in [name for name in vars(System) if not name.startswith("_") and name != "close"]:
            setattr(self, name, self._counted(getattr(System, name), dies=dies))

    def _counted(self, real: Callable[..., object], *, dies: bool) -> Callable[..., object]:
        def call(*args: object) -> object:
            self.left -= 1
            if self.left == 0 or (self.left < 0 and dies):
                raise OSError(errno.EIO, "the disk is broken")
            return real(*args)

        return call


@pytest.mark.parametrize("dies", [True, False])
@pytest.mark.parametrize("rest", range(4))
def test_whatever_call_fails_the_edit_can_be_accepted_afterwards(
    make: Callable[[], Made], rest: int, dies: bool
) -> None:
    number = rest + 1
    while True:
        made = make()
        edit(made, other_due("s7", NOW_MS + DAY_MS))
        expected = made.jobs | {"s7": made.jobs["s7"]._replace(due_ms=NOW_MS + DAY_MS)}
        system = FailingAt(number, dies=dies)
        try:
            accept_edit(made.path, system=system)
        except (HourwheelError, OSError):
            accept_edit(made.path)
        assert jobs_in(made.path) == expected, number
        if system.left > 0:
            return
        for path in made.path.parent.iterdir():
            path.unlink()
        number += 4


# ---- what was found by tests/torture/rot ---------------------------------------------------------------------


def test_an_edited_epoch_does_not_drop_the_jobs_that_the_journal_holds(made: Made) -> None:
    error = refused(made, lambda text: text.replace('"epoch":2', '"epoch":7'))
    assert "epoch 7" in error.reason


@pytest.mark.parametrize("change", [('"seq":10', '"seq":3'), ('"store_id":"', '"store_id":"f')])
def test_a_header_that_does_not_fit_the_journal_is_refused_with_its_place(made: Made, change: tuple[str, str]) -> None:
    error = refused(made, lambda text: re.sub(r'"seq":\d+', '"seq":10', text, count=1).replace(*change))
    assert "does not fit the journal" in error.reason


@pytest.mark.parametrize("store_id", ['"\\ud800"', '"\u00fc"', '"a\\"b"', '"a\\nb"', "7", "null"])
def test_an_odd_store_id_is_refused_and_does_not_crash_the_program_of_whoever_opens_it(
    made: Made, store_id: str
) -> None:
    error = refused(made, lambda text: re.sub(r'"store_id":"\w+"', lambda _: f'"store_id":{store_id}', text))
    assert "store_id in the header must be" in error.reason
    with pytest.raises(StoreCorrupt, match="store_id"):
        JsonStore(made.path)


def test_counts_that_are_no_numbers_are_counted_anew(made: Made) -> None:
    edit(made, lambda text: re.sub(r'"accepted":\d+', '"accepted":"many"', text))
    assert accept_edit(made.path) is not None
    assert jobs_in(made.path) == made.jobs


def test_a_slot_of_five_thousand_digits_is_refused_with_a_message_that_can_be_read(made: Made) -> None:
    error = refused(made, lambda text: text.replace('"ring":{', '"ring":{"' + "9" * 5000 + '":{},'))
    assert "from 0 to 3599" in error.reason
    assert len(str(error)) < 1000


def test_what_is_paused_may_be_edited(made: Made) -> None:
    store = JsonStore(made.path, durability="os", clock=FakeClock(NOW_MS))
    store.pause(["queue:a", "queue:b"])
    store.compact()
    store.close()
    edit(made, lambda text: text.replace('"queue:a",', ""))
    accept_edit(made.path)
    store = JsonStore(made.path, durability="os", clock=FakeClock(NOW_MS))
    assert store.paused() == ["queue:b"]
    store.close()
    found = refused(made, lambda text: text.replace('["queue:b"]', '"queue:b"'))
    assert "paused in the header must be a list of strings" in found.reason
