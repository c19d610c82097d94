"""Not while the last one runs: fires that come while earlier ones have not ended are skipped, and say so."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hourwheel import InvalidValue, Job, Retry, Scheduler, State, StoreError, crontab, every
from hourwheel.job import Claim, Outcome, Succeeded
from hourwheel.schedules.misfires import Decision, Policy, crowded
from hourwheel.store import JsonStore, MemoryStore
from hourwheel.testing import FakeClock
from hourwheel.turn import effects

NOW = datetime(2026, 12, 1, 8, tzinfo=UTC)


class World:
    """A scheduler whose runs end when the test says so."""

    def __init__(self, store: Any = None, **options: Any) -> None:
        self.clock, self.store = FakeClock(NOW), store or MemoryStore()
        self.skipped: list[Job] = []
        self.running: list[Claim] = []
        self.app = self.process(**options)
        self.app.run_due()

    def process(self, **options: Any) -> Scheduler:
        app = Scheduler(self.store, clock=self.clock)
        app.periodic(every(10), name="slow", **options)(lambda: None)
        app.on.skipped(self.skipped.append)
        return app

    def step(self, app: Scheduler | None = None) -> str:
        """The next fire is claimed. What becomes of it: "runs" or "skipped"."""
        app = app or self.app
        self.clock.advance(10)
        now_ms = self.clock.now_ms()
        claims = self.store.claim(app.owner, now_ms, 10)
        run, ended = app.fires.follow(claims, self.store, now_ms, app.on)
        self._settle(ended, now_ms)
        self.running += run
        return "runs" if run else "skipped" if ended else "nothing"

    def _settle(self, outcomes: Sequence[tuple[Claim, Outcome]], now_ms: int) -> None:
        self.store.settle(effects(outcomes), now_ms)

    def end(self, number: int = 0) -> None:
        self._settle([(self.running.pop(number), Succeeded())], self.clock.now_ms())


def test_a_fire_that_comes_while_the_last_one_runs_is_skipped_with_its_reason() -> None:
    world = World(max_instances=1)
    assert [world.step() for _ in range(3)] == ["runs", "skipped", "skipped"]
    assert [job.reason for job in world.skipped] == [
        "skipped: slow@2026-12-01T08:00:10Z has not ended yet, and max_instances is 1"
    ] * 2
    kept = world.store.get(["slow@2026-12-01T08:00:20Z"])[0]
    assert (kept.state, kept.reason) == (State.CANCELLED, world.skipped[0].reason)
    world.end()
    assert [world.step(), world.step()] == ["runs", "skipped"]
    assert world.store.check() == []


def test_two_may_run_at_once_and_the_third_is_skipped() -> None:
    world = World(max_instances=2)
    assert [world.step() for _ in range(3)] == ["runs", "runs", "skipped"]
    assert "08:00:10Z and 1 more have not ended yet, and max_instances is 2" in str(world.skipped[0].reason)
    world.end(1)
    assert [world.step(), world.step()] == ["runs", "skipped"]
    world.end(0)
    world.end(0)
    assert [world.step(), world.step(), world.step()] == ["runs", "runs", "skipped"]


def test_without_it_every_fire_runs_and_names_no_others() -> None:
    world = World()
    assert [world.step() for _ in range(3)] == ["runs"] * 3
    assert all(job.fire.before == () for job in world.store.scan())


def test_another_process_and_a_restart_know_of_the_run(tmp_path: Path) -> None:
    world = World(JsonStore(tmp_path / "tasks.json", durability="os"), max_instances=1)
    world.step()
    assert [world.step(world.process(max_instances=1)) for _ in range(2)] == ["skipped", "skipped"]
    assert world.store.check() == []
    world.store.close()


def test_a_run_that_waits_to_be_tried_again_has_not_ended() -> None:
    clock, store = FakeClock(NOW), MemoryStore()
    app, tries = Scheduler(store, clock=clock), list[int]()

    def fails_once() -> None:
        tries.append((clock.now_ms() - round(NOW.timestamp() * 1000)) // 1000)
        if len(tries) == 1:
            raise Retry(countdown=25)

    app.periodic(every(10), name="slow", max_instances=1)(fails_once)
    app.run_due()
    for _ in range(10):
        clock.advance(5)
        app.run_due()
    assert tries == [10, 35, 40, 50]


def test_a_sweep_that_makes_up_for_each_missed_fire_runs_them_one_after_the_other() -> None:
    clock, store = FakeClock(NOW), MemoryStore()
    app, ran = Scheduler(store, clock=clock), list[int]()
    app.periodic(every(10), name="slow", max_instances=1, misfire="each")(lambda: ran.append(1))
    app.run_due()
    clock.advance(50)
    app.run_due()
    assert (len(ran), sum(job.state is State.CANCELLED for job in store.scan())) == (5, 0)


def test_a_schedule_that_is_moved_or_resumed_still_knows_what_runs() -> None:
    world = World(max_instances=1)
    world.step()
    changed = Scheduler(world.store, clock=world.clock)
    changed.periodic(every(20), name="slow", max_instances=1)(lambda: None)
    changed.on.skipped(world.skipped.append)
    changed.run_due()
    changed.pause_schedule("slow")
    world.clock.advance(60)
    changed.resume_schedule("slow")
    world.clock.advance(10)
    assert world.step(changed) == "skipped"
    assert "08:00:10Z has not ended yet" in str(world.skipped[-1].reason)


def test_a_run_that_was_dropped_or_cancelled_is_not_waited_for() -> None:
    world = World(max_instances=1)
    world.step()
    world.end()
    world.store.forget(["slow@2026-12-01T08:00:10Z"])
    assert world.step() == "runs"


def test_fires_are_given_back_while_the_store_cannot_say_what_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Held back for a minute, or run in spite of it, would both be wrong."""
    world = World(max_instances=1)
    world.step()

    def failing(ids: list[str]) -> list[Job | None]:
        raise StoreError("disk full")

    with monkeypatch.context() as patched:
        patched.setattr(world.store, "get", failing)
        world.clock.advance(10)
        now_ms = world.clock.now_ms()
        claims = world.store.claim(world.app.owner, now_ms, 10)
        run, ended = world.app.fires.follow(claims, world.store, now_ms, world.app.on)
    world._settle(ended, now_ms)
    assert run == []
    waiting = world.store.get(["slow@2026-12-01T08:00:20Z"])[0]
    assert (waiting.state, waiting.due_ms) == (State.SCHEDULED, now_ms)
    world.end()
    assert world.store.claim(world.app.owner, now_ms, 10)[0].job.id == waiting.id


def test_missed_fires_that_a_skipped_one_stood_for_are_counted_in_its_reason() -> None:
    decision = crowded(Policy(max_instances=1), Decision(9, missed=3), ["a"])
    assert decision.skip == "skipped: a has not ended yet, and max_instances is 1; 3 more were skipped, too"
    assert (decision.next_ms, decision.missed) == (9, 3)
    late = Decision(9, skip="it was late")
    assert crowded(Policy(max_instances=1), late, ["a"]) is late


@pytest.mark.parametrize("wrong", [0, -1, True, 1.5, "1", 101])
def test_what_is_no_number_of_runs_is_refused(wrong: Any) -> None:
    app = Scheduler(MemoryStore())
    task = app.task(name="t")(lambda: None)
    with pytest.raises(InvalidValue, match="max_instances must be a whole number from 1 to 100"):
        app.periodic(5, name="x", max_instances=wrong)(lambda: None)
    with pytest.raises(InvalidValue, match="max_instances must be"):
        app.add_periodic_task(5, task, max_instances=wrong)
    with pytest.raises(InvalidValue, match="max_instances must be"):
        app.add_beat_schedule({"x": {"task": "t", "schedule": 5, "max_instances": wrong}})
    assert app.schedules == []


def test_every_way_to_make_a_schedule_takes_it() -> None:
    app = Scheduler(MemoryStore())
    task = app.periodic(crontab(), name="a", max_instances=1)(lambda: None)
    app.add_periodic_task(5, task, name="b", max_instances=2)
    app.add_beat_schedule({"c": {"task": "a", "schedule": 5, "max_instances": 3}})
    app.conf.beat_schedule = {"d": {"task": "a", "schedule": 5, "max_instances": 4}}
    told = {name: entry.told_by(app.registry).policy.max_instances for name, entry in app.fires.entries.items()}
    assert told == {"a": 1, "b": 2, "c": 3, "d": 4}
