"""A death is counted against who had begun, and who ran when a worker died is tried alone."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hourwheel.errors import StoreError
from hourwheel.job import Claim, Job, Released, Snoozed, State
from hourwheel.store import JsonStore
from hourwheel.store.file.system import begun
from hourwheel.store.state.records import Rescued
from hourwheel.testing import FakeClock
from hourwheel.worker.quarantine import ALONE_S, PATIENCE_S, Quarantine
from hourwheel.worker.run.runner import Runner

from tests.kit.ticking import World

DUE = 1_000
LONG_S = 60.0


def credit(quarantine: Quarantine, room: int, inflight: int, monotonic: float) -> int:
    quarantine.look(inflight, monotonic)
    return quarantine.credit(room, inflight)


def claim(id: str, crashes: int = 0, most: int = 3) -> Claim:
    return Claim(Job(id=id, task="t", due_ms=0, crashes=crashes, max_crashes=most), 1, "me")


# ---- who is tried alone, and when ------------------------------------------------------------------------


def crashed(world: World, *ids: str) -> None:
    """A worker that had begun these jobs dies."""
    now_ms = world.clock.now_ms()
    claims = world.store.claim("dead", now_ms, len(ids), ids=ids)
    assert {one.job.id for one in claims} == set(ids)
    world.store._commit((), [Rescued(now_ms, list(ids), "its worker died")])


def test_a_job_that_kills_its_worker_took_its_neighbours_with_it_until_they_had_failed(world: World) -> None:
    ids = world.add(4)
    crashed(world, *ids)
    fresh = world.add(4, prefix="fresh")
    alone: list[set[str]] = []
    while world.store.stats(0).scheduled or world.store.stats(0).running:
        world.ticker.step()
        world.ticker.step()
        taken = world.pool.take()
        alone.append({one.job.id for one in taken})
        world.pool.end(taken)
        world.ticker.step()
    suspects = [together for together in alone if together & set(ids)]
    assert sorted(suspects, key=min) == [{id} for id in ids]
    assert set().union(*alone) == {*ids, *fresh}


@pytest.fixture
def world() -> World:
    return World()


def test_what_runs_comes_to_its_end_before_a_suspect_begins() -> None:
    quarantine = Quarantine(isolates=False)
    taken, back = quarantine.admit([claim("s", 1), claim("n")], 2, 0.0, 0)
    assert ([one.job.id for one in taken], [one.job.id for one, _ in back]) == (["n"], ["s"])
    assert all(isinstance(outcome, Released) for _, outcome in back)
    assert credit(quarantine, 4, 3, 1.0) == 0
    assert credit(quarantine, 4, 0, 2.0) == 1


def test_a_suspect_is_put_off_when_what_runs_takes_too_long_and_waited_for_longer_the_next_time() -> None:
    quarantine = Quarantine(isolates=False)
    suspect, at = claim("s", 1), 0.0
    for patience in (PATIENCE_S, 2 * PATIENCE_S, 4 * PATIENCE_S):
        taken, [(_, outcome)] = quarantine.admit([suspect], 1, at, 0)
        assert isinstance(outcome, Released) and not taken
        assert credit(quarantine, 4, 1, at + patience) == 0
        assert credit(quarantine, 3, 1, at + patience + 0.1) == 3, "the others go on"
        _, [(_, outcome)] = quarantine.admit([suspect], 1, at + patience + 1, 0)
        assert isinstance(outcome, Snoozed) and 0 < outcome.due_ms <= 1000 * patience
        at += 2 * patience + 1
    taken, back = quarantine.admit([suspect], 0, at, 0)
    assert (list(taken), back) == ([suspect], [])


def test_others_begin_beside_a_suspect_that_runs_long_but_not_beside_one_that_has_no_life_left() -> None:
    first = Quarantine(isolates=False)
    first.admit([claim("s", 1)], 0, 0.0, 0)
    assert (credit(first, 4, 1, ALONE_S - 1), credit(first, 4, 1, ALONE_S + 1)) == (0, 4)
    last = Quarantine(isolates=False)
    last.admit([claim("s", 2)], 0, 0.0, 0)
    assert (credit(last, 4, 1, 1e6), credit(last, 4, 0, 1e6)) == (0, 1)


def test_many_suspects_are_tried_in_groups_and_those_with_no_life_left_one_by_one() -> None:
    quarantine = Quarantine(isolates=False)
    taken, back = quarantine.admit([claim(f"s{n}", 1) for n in range(100)], 0, 0.0, 0)
    assert (len(taken), len(back), credit(quarantine, 500, 0, 1.0)) == (10, 90, 10)
    taken, back = quarantine.admit([claim("last", 2), *[claim(f"s{n}", 1) for n in range(100)]], 0, 2.0, 0)
    assert [one.job.id for one in taken] == ["last"]
    quarantine.admit([claim("fine")], 0, 3.0, 0)
    assert credit(quarantine, 500, 0, 4.0) == 500


def test_pools_that_give_each_job_a_process_of_its_own_need_no_quarantine() -> None:
    claims = [claim("s", 1), claim("n")]
    assert Quarantine(isolates=True).admit(claims, 3, 0.0, 0) == (claims, [])


# ---- who had begun ---------------------------------------------------------------------------------------


def died(path: Path, store: JsonStore) -> None:
    """The process dies: the kernel drops its locks, its files stay."""
    store._keeper.newest.signs.close(remove=False)


def rescue(tmp_path: Path, marked: int | None, **fields: int) -> list[Job | None]:
    dead, heir = (JsonStore(tmp_path / "t.json", durability="os") for _ in range(2))
    if marked is not None:
        dead.begin("dead", 0)
    dead.add([Job(id=f"j{n}", task="t", due_ms=DUE, **fields) for n in range(4)], 0)
    claims = dead.claim("dead", DUE, 4)
    if marked:
        dead.begin("dead", claims[marked - 1].token)
        dead.begin("dead", claims[0].token)
    died(tmp_path, dead)
    heir.claim("heir", DUE, 0)
    found = [heir.get([f"j{n}"])[0] for n in range(4)]
    assert heir.check() == []
    heir.close()
    return found


def test_jobs_that_were_claimed_and_not_begun_counted_the_death_of_their_worker(tmp_path: Path) -> None:
    found = rescue(tmp_path, 2)
    assert [job and (job.state, job.crashes, job.attempt) for job in found] == [
        *[(State.SCHEDULED, 1, 1)] * 2,
        *[(State.SCHEDULED, 0, 0)] * 2,
    ]
    assert found[3] is not None and found[3].reason == "its worker dead died before it began"


def test_jobs_that_are_to_run_at_most_once_failed_without_ever_having_begun(tmp_path: Path) -> None:
    found = rescue(tmp_path, 1, max_crashes=1)
    assert [job and job.state for job in found] == [State.FAILED, *[State.SCHEDULED] * 3]


def test_an_owner_that_has_begun_none_and_one_that_never_says_it(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    assert {job and job.crashes for job in rescue(tmp_path / "a", 0)} == {0}
    assert {job and job.crashes for job in rescue(tmp_path / "b", None)} == {1}


def test_what_was_written_in_another_life_of_the_kernel_is_not_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(begun, "boot_id", lambda: b"before the power failed" + bytes(13))
    dead = JsonStore(tmp_path / "t.json", durability="os")
    dead.begin("dead", 0)
    dead.add([Job(id="j", task="t", due_ms=DUE, max_crashes=1)], 0)
    dead.claim("dead", DUE, 1)
    monkeypatch.undo()
    died(tmp_path, dead)
    heir = JsonStore(tmp_path / "t.json", durability="os")
    heir.claim("heir", DUE, 0)
    job = heir.get(["j"])[0]
    assert job is not None and job.state is State.FAILED
    heir.close()


def test_a_job_that_begins_while_the_store_is_closed_writes_into_no_other_file(tmp_path: Path) -> None:
    store = JsonStore(tmp_path / "t.json", durability="os")
    store.begin("me", 0)
    mark = store._keeper._marks["me"]
    store.close()
    others = [os.open(tmp_path / "other", os.O_RDWR | os.O_CREAT) for _ in range(20)]
    with pytest.raises(StoreError, match="not shown any more"):
        mark.begun(7)
    assert (tmp_path / "other").read_bytes() == b""
    for fd in others:
        os.close(fd)


def test_a_job_that_cannot_be_marked_as_begun_does_not_begin() -> None:
    def fail(_owner: str, _token: int) -> None:
        raise StoreError("the life sign cannot be written")

    outcome = Runner(_Registry(), FakeClock(), mark=fail)(claim("j"))  # type: ignore[arg-type]
    assert isinstance(outcome, Snoozed) and "life sign" in (outcome.reason or "")


class _Registry:
    def find(self, _: str) -> object:
        from types import SimpleNamespace  # noqa: PLC0415

        from hourwheel.tasks.options.time_limits import UNLIMITED  # noqa: PLC0415

        return SimpleNamespace(fn=lambda: pytest.fail("it began"), limits=UNLIMITED, bind=False)


POISON = """
import os, time
from hourwheel import Scheduler

app = Scheduler("tasks.json", workers=4, durability="os")

@app.task(name="poison")
def poison():
    time.sleep(0.1)
    os.kill(os.getpid(), 9)

@app.task(name="good")
def good():
    time.sleep(0.3)

if __name__ == "__main__":
    app.start()
    while app.store.stats(0).scheduled or app.store.stats(0).running:
        time.sleep(0.02)
    app.close()
"""


def test_of_eight_innocent_jobs_beside_a_poisonous_one_none_fails(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(POISON)
    env = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    store = JsonStore(tmp_path / "tasks.json", durability="os")
    now_ms = time.time_ns() // 1_000_000
    store.add([Job(id="poison", task="poison", due_ms=now_ms - 1)], 0)
    store.add([Job(id=f"good{n}", task="good", due_ms=now_ms) for n in range(8)], 0)
    ends = [
        subprocess.run([sys.executable, "program.py"], cwd=tmp_path, env=env, timeout=LONG_S).returncode
        for _ in range(4)
    ]
    assert ends == [-9, -9, -9, 0]
    stats = store.stats(0)
    assert (stats.failed, stats.succeeded) == (1, 8)
    store.close()


def test_a_forked_child_starts_a_scheduler_before_it_has_touched_the_store(tmp_path: Path) -> None:
    store = JsonStore(tmp_path / "t.json", durability="os")
    store.add([Job(id="j", task="t", due_ms=DUE)], 0)
    pid = os.fork()
    if not pid:
        try:
            store.begin("child", 0)
            store.begin("child", 7)
        except BaseException:
            os._exit(1)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    store.close()
