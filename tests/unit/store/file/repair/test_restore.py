"""repair(): a new sound store beside the damaged one, and the truth about what was lost."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hourwheel.clock import MAX_MS
from hourwheel.errors import HourwheelError, StoreBusy, StoreCorrupt, StoreError, StoreFormatError
from hourwheel.job import After, Bound, Job, State
from hourwheel.store import JsonStore
from hourwheel.store.file.format.lines import frame
from hourwheel.store.file.repair import repair, survey
from hourwheel.store.file.system.system import System
from hourwheel.testing import FakeClock
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from .conftest import DAY_MS, NOW_MS, Made, job, jobs_in

PENDING = {State.SCHEDULED, State.RUNNING}


def lines(path: Path) -> list[tuple[int, bytes]]:
    """The lines of a journal that are not blank, with their offsets."""
    data = path.read_bytes()
    return [(match.start(), match[0]) for match in re.finditer(rb"[^\n]+\n", data)]


def record(made: Made, words: bytes) -> tuple[int, bytes]:
    return next((at, line) for at, line in lines(made.journal) if words in line)


def destroy(made: Made, words: bytes) -> int:
    """Damage the journal record with these words in it; returns its offset."""
    at, line = record(made, words)
    made.damage(made.journal, at + 17, b"#" * 7)
    return at


def refuses(path: Path) -> StoreCorrupt:
    with pytest.raises(StoreCorrupt) as caught:
        JsonStore(path)
    return caught.value


# ---- a sound store ---------------------------------------------------------------------------------------


def test_a_sound_store_needs_no_repair(made: Made) -> None:
    before = made.files()
    found = repair(made.path)
    assert (found.output, found.salvage.harmed, found.salvage.lost, found.violations) == (None, False, False, [])
    assert made.files() == before


def test_a_sound_store_is_copied_if_an_output_is_named(made: Made, tmp_path: Path) -> None:
    found = repair(made.path, tmp_path / "copy.repaired")
    assert found.output == str(tmp_path / "copy.repaired")
    assert jobs_in(tmp_path / "copy.repaired") == made.jobs


def test_the_ledger_of_the_copy_is_that_of_the_store(made: Made, tmp_path: Path) -> None:
    repair(made.path, tmp_path / "copy.repaired")
    old, new = (JsonStore(path, clock=FakeClock(NOW_MS)) for path in (made.path, tmp_path / "copy.repaired"))
    assert old.stats(NOW_MS) == new.stats(NOW_MS)
    old.close()
    new.close()


def test_an_unfinished_write_is_no_damage(made: Made) -> None:
    data = made.journal.read_bytes()
    end = len(data.rstrip(b"\n")) + 1
    made.damage(made.journal, end, b'deadbeef 000123 {"seq":')
    found = survey(made.path)
    assert not found.harmed
    assert [damage.kind for damage in found.damages] == ["unfinished"]


# ---- journals --------------------------------------------------------------------------------------------


def test_any_one_destroyed_record_loses_at_most_one_job_and_never_touches_the_original(made: Made) -> None:
    sound = made.journal.read_bytes()
    for n, (at, line) in enumerate(lines(made.journal)):
        made.journal.write_bytes(sound)
        made.damage(made.journal, at + 20, b"#" * min(8, len(line) - 22))
        refuses(made.path)
        before = made.files()
        found = repair(made.path, f"{made.path}.repaired.{n}")
        assert made.files() == before
        assert found.violations == []
        kept = jobs_in(str(found.output))
        missing = set(made.jobs) - set(kept)
        assert len(missing) <= 1
        assert kept.keys() <= made.jobs.keys()
        history = {"n0", "n2"} & missing  # they had finished, which later records say
        assert set(found.salvage.lost_jobs) == missing - history
        assert [damage.offset for damage in found.salvage.damages] == [at]
        assert found.salvage.lost == (n > 0)


def test_a_flipped_bit_in_a_record_costs_nothing(made: Made) -> None:
    at, _ = record(made, b'"op":"settle"')
    made.damage(made.journal, at + 40, bytes([made.journal.read_bytes()[at + 40] ^ 4]))
    refuses(made.path)
    found = repair(made.path)
    assert (found.salvage.harmed, found.salvage.lost) == (True, False)
    assert [damage.kind for damage in found.salvage.damages] == ["mended"]
    assert jobs_in(str(found.output)) == made.jobs


def test_a_job_whose_settlement_is_destroyed_is_running_and_starts_again(made: Made) -> None:
    at = destroy(made, b'"items":[["n0"')
    found = repair(made.path)
    assert jobs_in(str(found.output))["n0"].state is State.RUNNING
    assert found.salvage.lost_changes
    assert [damage.offset for damage in found.salvage.damages] == [at]
    store = JsonStore(str(found.output), clock=FakeClock(NOW_MS))
    store.claim("worker-c", NOW_MS - 3000, 0)  # there is no sign of the old worker here, which may be slow to show it
    claimed = {claim.job.id: claim for claim in store.claim("worker-c", NOW_MS + 2000, 100)}
    store.close()
    assert claimed["n0"].job.attempt == 2
    assert claimed["n0"].token > made.jobs["n0"].token


def test_a_settlement_proves_the_claim_that_is_destroyed(made: Made) -> None:
    destroy(made, b'"op":"claim"')
    found = repair(made.path)
    kept = jobs_in(str(found.output))
    assert kept["n0"].state is State.SUCCEEDED
    assert kept["n0"].token == made.jobs["n0"].token
    assert kept["n1"].state is State.SCHEDULED  # nothing else is known of its claim


def test_a_job_whose_cancellation_is_destroyed_is_scheduled(made: Made) -> None:
    destroy(made, b'"op":"cancel"')
    kept = jobs_in(str(repair(made.path).output))
    assert kept["n2"].state is State.SCHEDULED
    assert {id: found for id, found in kept.items() if id != "n2"} == {
        id: found for id, found in made.jobs.items() if id != "n2"
    }


def test_a_job_whose_record_is_destroyed_is_named_with_its_place(made: Made) -> None:
    at, line = record(made, b'{"id":"n4"')
    made.damage(made.journal, at + line.index(b"payload"), b"#######")
    found = repair(made.path)
    assert list(found.salvage.lost_jobs) == ["n4"]
    assert f"byte {at}" in found.salvage.lost_jobs["n4"]


def test_a_lost_job_that_had_finished_is_history(made: Made) -> None:
    at, line = record(made, b'"job":{"id":"n0"')
    made.damage(made.journal, at + line.index(b'"id":"n0"'), b"#########")
    found = repair(made.path)
    assert found.salvage.lost_jobs == {}
    assert any("n0" in note and "succeeded" in note for note in found.salvage.notes)


def test_all_later_records_hold_when_many_are_destroyed(made: Made) -> None:
    for words in (b'"op":"claim"', b'"op":"move"', b'"id":"n5"'):
        destroy(made, words)
    found = repair(made.path)
    kept = jobs_in(str(found.output))
    assert set(made.jobs) - set(kept) == {"n5"}
    assert len(found.salvage.lost_changes) == 3
    assert kept["s3"].state is State.SUCCEEDED


def test_a_destroyed_journal_header_costs_nothing(made: Made) -> None:
    made.damage(made.journal, 0, b"#" * 40)
    refuses(made.path)
    found = repair(made.path)
    assert jobs_in(str(found.output)) == made.jobs
    assert not found.salvage.lost


def test_the_journal_of_another_store_is_left_alone(made: Made) -> None:
    header = frame('{"journal":"hourwheel","version":1,"store_id":"somebody","epoch":2,"after":13}')
    stranger = frame(
        '{"seq":99,"op":"add","job":{"id":"alien","due_ms":1,"task":"t","created_ms":1,"payload":[[],{}]}}'
    )
    made.journal.write_bytes(header + stranger)
    refuses(made.path)
    found = repair(made.path)
    assert set(jobs_in(str(found.output))) == {f"s{i}" for i in range(10)}
    assert any("another store" in note for note in found.salvage.notes)


def test_what_one_journal_has_lost_another_one_gives(made: Made) -> None:
    """A compaction that was killed leaves a second journal with copies of the newest records."""
    number = int(made.journal.suffix[1:])
    header = lines(made.journal)[0][1].replace(b'"epoch":%d' % number, b'"epoch":%d' % (number + 1))
    copies = b"".join(line for _, line in lines(made.journal)[5:])
    spare = made.path.with_name(f"tasks.json.journal.{number + 1}")
    spare.write_bytes(frame(header[16:-1].decode()) + copies)
    journal = made.path.with_name(f"tasks.json.journal.{number}")
    at = next(at for at, line in lines(journal) if b'"op":"cancel"' in line)
    made.damage(journal, at + 30, b"######")
    found = repair(made.path)
    assert jobs_in(str(found.output)) == made.jobs
    assert found.salvage.lost_changes == []


def test_two_jobs_left_with_one_key_by_a_lost_cancellation_share_it_out(tmp_path: Path) -> None:
    path = tmp_path / "tasks.json"
    store = JsonStore(path, clock=FakeClock(NOW_MS))
    store.add([job("old", NOW_MS + DAY_MS, key="k")], 0)
    store.add([job("new", NOW_MS + DAY_MS, key="k")._replace(created_ms=NOW_MS + 5)], 0, on_conflict="replace")
    jobs = {found.id: found for found in store.scan()}
    store.close()
    made = Made(path, jobs)
    destroy(made, b'"op":"cancel"')
    found = repair(path)
    kept = jobs_in(str(found.output))
    assert (kept["new"].key, kept["old"].key) == ("k", None)
    assert {kept["new"].state, kept["old"].state} == {State.SCHEDULED}
    assert any("key 'k'" in note for note in found.salvage.notes)


# ---- snapshots -------------------------------------------------------------------------------------------


def test_a_destroyed_line_of_the_snapshot_loses_one_job_and_says_which(made: Made) -> None:
    at = made.path.read_bytes().index(b'{"id":"s5"')
    made.damage(made.path, at + 30, b"\0" * 20)
    assert refuses(made.path).path == str(made.path)
    before = made.files()
    found = repair(made.path)
    assert made.files() == before
    kept = jobs_in(str(found.output))
    assert {id: kept.get(id) for id in made.jobs if id != "s5"} == {id: j for id, j in made.jobs.items() if id != "s5"}
    assert list(found.salvage.lost_jobs) == ["s5"]
    assert found.salvage.lost_pending == 1


def test_a_destroyed_header_loses_no_job(made: Made) -> None:
    made.damage(made.path, 0, b"#" * made.path.read_bytes().index(b"\n"))
    found = repair(made.path)
    kept = jobs_in(str(found.output))
    assert {id: kept[id].state for id in kept} == {id: j.state for id, j in made.jobs.items()}
    assert (found.salvage.lost_pending, found.salvage.header.counts.accepted) == (None, len(made.jobs))


def test_a_missing_snapshot_leaves_what_the_journal_says(made: Made) -> None:
    made.path.unlink()
    refuses(made.path)
    found = repair(made.path)
    kept = jobs_in(str(found.output))
    assert set(kept) == {f"n{i}" for i in range(6)}
    assert "missing" in found.salvage.damages[0].reason


def test_a_whole_snapshot_that_was_being_written_stands_in_for_a_missing_one(made: Made) -> None:
    os.rename(made.path, f"{made.path}.next")
    found = repair(made.path)
    assert jobs_in(str(found.output)) == made.jobs


def test_a_snapshot_that_does_not_fit_the_journal_does_not_stand_in(made: Made) -> None:
    data = made.path.read_bytes()
    made.path.unlink()
    Path(f"{made.path}.next").write_bytes(data[: len(data) // 2])
    assert set(jobs_in(str(repair(made.path).output))) == {f"n{i}" for i in range(6)}


def test_an_older_snapshot_from_a_backup_is_brought_up_to_date_by_the_newer_journal(made: Made) -> None:
    """The journal of the next epoch is seen, and goes on where the older snapshot ends."""
    older = made.path.read_bytes()
    store = JsonStore(made.path, clock=FakeClock(NOW_MS))
    store.compact()
    store.add([job("late", NOW_MS + DAY_MS)], 0)
    store.close()
    made.path.write_bytes(older)
    found = survey(made.path)
    assert found.harmed
    assert "late" in found.state.rows
    assert found.lost_changes
    assert any("older copy" in note for note in found.notes)


# ---- errors ----------------------------------------------------------------------------------------------


def test_an_output_that_exists_is_not_overwritten(made: Made, tmp_path: Path) -> None:
    (tmp_path / "there.repaired").write_bytes(b"mine")
    with pytest.raises(StoreError, match="exists already"):
        repair(made.path, tmp_path / "there.repaired")
    assert (tmp_path / "there.repaired").read_bytes() == b"mine"


def test_an_output_beside_whose_place_a_journal_stands_is_refused(made: Made, tmp_path: Path) -> None:
    (tmp_path / "x.repaired.journal.4").write_bytes(b"")
    with pytest.raises(StoreError, match="x.repaired.journal.4 exists already"):
        repair(made.path, tmp_path / "x.repaired")


def test_an_output_in_a_directory_that_is_missing_is_an_error(made: Made, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="No such file"):
        repair(made.path, tmp_path / "nowhere" / "x")


@pytest.mark.parametrize("content", [b"", b"hello\n", b'{"tasks": []}', bytes(10_000)])
def test_what_is_no_store_is_not_repaired(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "notes.json"
    path.write_bytes(content)
    with pytest.raises(StoreFormatError, match="not an Hourwheel store"):
        repair(path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["notes.json"]


def test_where_nothing_is_there_is_nothing_to_repair(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        repair(tmp_path / "none.json")
    assert list(tmp_path.iterdir()) == []


def test_nobody_writes_while_the_store_is_read(made: Made) -> None:
    store = JsonStore(made.path)
    with pytest.raises(StoreBusy):
        store._changing(lambda _: survey(made.path, lock_timeout_s=0.01))
    store.close()


def test_the_lock_is_not_made_where_it_is_missing(made: Made) -> None:
    Path(f"{made.path}.lock").unlink()
    survey(made.path)
    assert not Path(f"{made.path}.lock").exists()


# ---- any damage ------------------------------------------------------------------------------------------


@st.composite
def wounds(draw: st.DrawFn) -> list[tuple[bool, float, bytes]]:
    """(in the journal, where, what is written there)."""
    one = st.tuples(st.booleans(), st.floats(0, 1), st.binary(min_size=1, max_size=60))
    return draw(st.lists(one, min_size=1, max_size=4))


@example([(False, 0.95703125, b" ")])
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(wounds())
def test_whatever_is_damaged_the_new_store_is_sound_and_not_silently_different(
    made: Made, damages: list[tuple[bool, float, bytes]]
) -> None:
    sound = {path: path.read_bytes() for path in (made.path, made.journal)}
    output = f"{made.path}.repaired"
    try:
        for in_journal, where, new in damages:
            path = made.journal if in_journal else made.path
            size = len(sound[path].rstrip(b"\n"))
            made.damage(path, int(where * max(0, size - len(new))), new)
        before = made.files()
        found = repair(made.path, output)
        assert made.files() == before
        assert found.violations == []
        kept = jobs_in(output)
        if not any("may have changed unseen" in note for note in found.salvage.notes):
            assert {calls(j) for j in kept.values()} <= {calls(j) for j in made.jobs.values()}
        if made.path.read_bytes() == sound[made.path]:
            assert {id for id in made.jobs if id.startswith("s")} <= kept.keys()
        if not found.salvage.harmed:
            assert kept.keys() == made.jobs.keys()
    except StoreFormatError as error:
        assert "newer" in str(error)  # the version itself was hit
    finally:
        for path, data in sound.items():
            path.write_bytes(data)
        for path in made.path.parent.glob("*.repaired*"):
            path.unlink()


def calls(found: Job) -> tuple[str, str, str]:
    return found.id, found.task, found.payload


def test_a_store_of_a_newer_hourwheel_is_not_repaired(made: Made) -> None:
    made.path.write_bytes(made.path.read_bytes().replace(b'"min_reader":1', b'"min_reader":99'))
    with pytest.raises(HourwheelError, match="newer Hourwheel"):
        repair(made.path)


@pytest.mark.parametrize("rest", range(4))
def test_a_repair_that_fails_leaves_nothing_behind_and_can_be_tried_again(made: Made, rest: int) -> None:
    destroy(made, b'"op":"cancel"')
    before = made.files()
    output = Path(f"{made.path}.repaired")
    number = rest + 1
    while True:
        system = FailingOnce(number)
        try:
            repair(made.path, system=system)
        except (HourwheelError, OSError):
            assert not output.exists(), number
        assert made.files() == before
        if system.left > 0:
            break
        output.unlink(missing_ok=True)
        number += 4
    assert set(jobs_in(output)) == set(made.jobs)


class FailingOnce(System):
    """The call with this number fails."""

    def __init__(self, number: int) -> None:
        self.left = number
        for name in [name for name in vars(System) if not name.startswith("_") and name not in ("close", "unlink")]:
            setattr(self, name, self._counted(getattr(System, name)))

    def _counted(self, real: Callable[..., object]) -> Callable[..., object]:
        def call(*args: object) -> object:
            self.left -= 1
            if self.left == 0:
                raise OSError(errno.EIO, "the disk is broken")
            return real(*args)

        return call


# ---- limits ----------------------------------------------------------------------------------------------


def test_what_was_paused_is_paused_in_what_was_salvaged(make: Callable[[], Made]) -> None:
    """It would have cost: the queue that was stopped because it did harm goes on with the repaired store."""
    made = make()
    store = JsonStore(made.path, durability="os", clock=FakeClock(NOW_MS))
    store.pause(["queue:early", "queue:over"])
    store.add([job("limited", NOW_MS, limits=(Bound("x", 1), Bound("r", 1, DAY_MS)))], 0)
    store.claim("worker-c", NOW_MS + 2000, 100)
    store.compact()
    store.pause(["task:late"])
    store.resume(["queue:over"])
    store.add([job("last", NOW_MS + DAY_MS), job("lost", NOW_MS + DAY_MS)], 0)
    store.close()
    destroy(made, b'"id":"last"')
    refuses(made.path)
    restored = repair(made.path)
    again = JsonStore(str(restored.output), durability="os", clock=FakeClock(NOW_MS))
    assert again.paused() == ["queue:early", "task:late"]
    assert again.check() == []
    again.add([job("next", NOW_MS, limits=(Bound("r", 1, DAY_MS),))], 0)
    assert [claim.job.id for claim in again.claim("d", NOW_MS + 3000, 100) if claim.job.id == "next"] == []
    again.close()


# ---- fields that are gone --------------------------------------------------------------------------------


def in_line_of(made: Made, id: str, old: bytes, new: bytes) -> None:
    """Change something in the line of a job of the snapshot."""
    data = made.path.read_bytes()
    start = data.index(b'{"id":"%b"' % id.encode())
    at = data.index(old, start)
    assert at < data.index(b"\n", start)
    made.path.write_bytes(data[:at] + new + data[at + len(old) :])


@pytest.mark.parametrize(
    ("id", "old", "new", "said"),
    [
        ("s2", b'"finished_ms":', b'"finished_m ":', "when it ended is gone"),
        ("s0", b'"finished_ms":', b'"finished_ms9:', None),
        ("s1", b'"owner":"worker-a"', b'"owne ":"worker-a"', "so it starts again"),
        ("s1", b'"attempt":', b'"attemp ":', "so it starts again"),
        ("s1", b'"state":"running"', b'"stat ":"running"', "its owner was removed"),
        ("s1", b'"token":', b'"toke ":', "so it starts again"),
    ],
)
def test_a_job_of_which_a_field_is_gone_is_completed_and_that_is_said(
    made: Made, id: str, old: bytes, new: bytes, said: str | None
) -> None:
    in_line_of(made, id, old, new)
    found = repair(made.path)
    assert found.violations == []
    kept = jobs_in(str(found.output))
    if said is None:
        assert id not in kept  # not even JSON
        assert found.salvage.lost_jobs.keys() | {id} == {id}
        return
    assert calls(kept[id]) == calls(made.jobs[id])
    assert any(f"job {id}: " in note and said in note for note in found.salvage.notes), found.salvage.notes


def test_two_jobs_with_one_token_are_told_apart_again(made: Made) -> None:
    token = {id: job.token for id, job in made.jobs.items()}
    in_line_of(made, "s0", b'"token":%d' % token["s0"], b'"token":%d' % token["s1"])
    found = repair(made.path)
    assert found.violations == []
    assert any("had the token of job" in note for note in found.salvage.notes)


@pytest.mark.parametrize("field", ["store_id", "epoch", "seq"])
def test_a_digit_of_the_header_does_not_make_the_journal_a_stranger_s(made: Made, field: str) -> None:
    """Once all that the journal held was lost with it, and nothing was said."""
    data = made.path.read_bytes()
    at = data.index(f'"{field}":'.encode()) + len(field) + 3 + (field == "store_id")
    made.damage(made.path, at, b"7" if data[at : at + 1] != b"7" else b"8")
    made.damage(made.path, data.index(b'"crc":"') + 7, b"00000000")
    found = repair(made.path)
    assert found.violations == []
    assert made.jobs.keys() == jobs_in(str(found.output)).keys()
    assert any("its journal says" in note for note in found.salvage.notes)


@pytest.mark.parametrize("dead", [None, b'"id":"n9"', b'"op":"await"', b'"id":"first"'])
def test_jobs_that_wait_for_others_still_do_in_a_repaired_store(made: Made, tmp_path: Path, dead: bytes | None) -> None:
    """Of one scheduled, one running and one that has ended; with another record damaged, or one of these."""
    store = JsonStore(made.path, durability="os", clock=FakeClock(NOW_MS))
    store.add([job("n9", NOW_MS)], NOW_MS)
    store.add([job("first", NOW_MS + DAY_MS)], NOW_MS)
    after = After(("s1", "s0", "first"), 3, "finished", "nothing")
    store.add([job("last", MAX_MS)._replace(after=after)], NOW_MS)
    store.close()
    if dead is not None:
        destroy(made, dead)
    repair(made.path, tmp_path / "copy.repaired")
    found = jobs_in(tmp_path / "copy.repaired")
    assert found["last"].after == after._replace(left=1 if dead == b'"id":"first"' else 2)
    assert {id for id in after.ids if id in found and found[id].wakes == ("last",)} >= found.keys() & {"s1", "first"}
    assert found["s1"].state is State.RUNNING


def test_a_job_of_which_all_that_it_waits_for_is_lost_waited_for_ever(made: Made, tmp_path: Path) -> None:
    store = JsonStore(made.path, durability="os", clock=FakeClock(NOW_MS))
    store.add([job("first", NOW_MS + DAY_MS)], NOW_MS)
    store.add([job("last", MAX_MS)._replace(after=After(("first",), 1))], NOW_MS)
    store.close()
    destroy(made, b'"id":"first"')
    found = repair(made.path, tmp_path / "copy.repaired")
    assert "job last waits for 0 of 1 jobs: nothing would have woken it" in found.salvage.notes
    last = jobs_in(tmp_path / "copy.repaired")["last"]
    assert last.after is not None
    assert (last.after.left, last.due_ms) == (0, NOW_MS)
