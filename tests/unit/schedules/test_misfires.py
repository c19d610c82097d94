"""Misfires, against what must happen by definition: several were missed, under each policy, by every kind of schedule."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

import pytest
from hourwheel import InvalidValue, Job, Scheduler, State, crontab, current_job, every
from hourwheel.schedules.misfires import MISSED_MOST, Policy, decide
from hourwheel.store import JsonStore, MemoryStore
from hourwheel.testing import FakeClock
from hypothesis import example, given
from hypothesis import strategies as st

FRIDAY = datetime(2026, 11, 27, 18, tzinfo=UTC)
POLICIES = st.builds(Policy, st.sampled_from(["coalesce", "skip", "each"]), st.none() | st.integers(0, 60))


@dataclass
class Listed:
    """A schedule whose fires are a list, which may end."""

    fires: list[int]
    spec: str = field(default="listed", init=False)

    def after(self, ms: int) -> int | None:
        return next((fire for fire in self.fires if fire > ms), None)

    def localized(self, zone: tzinfo) -> Listed:  # noqa: ARG002 - of Schedule
        return self


@dataclass
class Outcome:
    """What became of the fires of an outage."""

    ran: list[int] = field(default_factory=list)
    skipped: list[int] = field(default_factory=list)
    counted: int = 0
    """How many the runs stand for, and the skipped ones say of besides."""
    next_ms: int | None = None


def outcome_of(policy: Policy, schedule: Listed, now_ms: int, step_ms: int = 0) -> Outcome:
    """Claim what is due, one after the other, as a store gives it; time may pass between two claims."""
    found, at_ms, stands = Outcome(), schedule.fires[0], 0
    while True:
        decision = decide(policy, schedule.after, at_ms, now_ms, stands)
        (found.ran if decision.skip is None else found.skipped).append(at_ms)
        found.counted += decision.missed
        if decision.next_ms is None or decision.next_ms > now_ms:
            found.next_ms = decision.next_ms
            return found
        at_ms, stands, now_ms = decision.next_ms, decision.stands, now_ms + step_ms


@given(policy=POLICIES, fires=st.sets(st.integers(0, 100), min_size=1, max_size=20), now_ms=st.integers(0, 160))
@example(policy=Policy("skip", 6), fires={0, 24, 48}, now_ms=49)
@example(policy=Policy("coalesce", 0), fires={0, 1, 2}, now_ms=2)
def test_each_missed_fire_is_judged_by_itself(policy: Policy, fires: set[int], now_ms: int) -> None:
    listed = sorted(fires)
    now_ms = max(now_ms, listed[0])
    missed = [fire for fire in listed if fire <= now_ms]
    in_time = [fire for fire in missed if policy.grace_ms is None or now_ms - fire <= policy.grace_ms]
    found = outcome_of(policy, Listed(listed), now_ms)
    if policy.misfire == "each":
        assert (found.ran, found.skipped) == (in_time, [fire for fire in missed if fire not in in_time])
    elif policy.grace_ms is None:
        assert found.ran == missed[:1]
    else:
        assert found.ran == in_time[-1:]
    assert set(found.ran) & set(found.skipped) == set()
    if found.ran and policy.misfire != "each":
        assert found.counted == len(missed) - 1, "the run says for how many others it stands"
    elif policy.misfire != "each":
        assert len(found.skipped) + found.counted == len(missed)
    assert found.next_ms == next((fire for fire in listed if fire > now_ms), None)


@given(
    policy=POLICIES,
    fires=st.sets(st.integers(0, 300), min_size=1),
    now_ms=st.integers(0, 300),
    step_ms=st.integers(1, 9),
)
def test_a_worker_that_is_behind_all_the_time_still_runs_what_is_in_time(
    policy: Policy, fires: set[int], now_ms: int, step_ms: int
) -> None:
    """Were the newest taken each time, a fast schedule on a busy worker would always skip for one that is newer."""
    listed = sorted(fires)
    now_ms = max(now_ms, listed[0])
    newest = max(fire for fire in listed if fire <= now_ms)
    found = outcome_of(policy, Listed(listed), now_ms, step_ms)
    claims = len([fire for fire in listed if fire <= newest]) if policy.misfire == "each" else 2
    if policy.grace_ms is None or now_ms + (claims - 1) * step_ms - newest <= policy.grace_ms:
        assert found.ran != []


def test_more_than_are_counted_are_missed_and_the_newest_runs_all_the_same() -> None:
    after = every(1).after
    decision = decide(Policy("skip", 500), after, 1_000, 86_400_400)
    assert (decision.next_ms, decision.stands) == (86_400_000, MISSED_MOST)
    decision = decide(Policy("skip", 300), after, 1_000, 86_400_400)
    assert str(decision.skip).endswith("at least 1000 more were skipped, too")
    assert decision.next_ms == 86_401_000


@pytest.mark.parametrize(
    ("schedule", "ran"),
    [
        (crontab("30 7 * * *", timezone="UTC"), "2026-11-30T07:30:00+00:00"),
        (every(days=1, anchor=datetime(2026, 11, 1, 7, 45, tzinfo=UTC)), "2026-11-30T07:45:00+00:00"),
    ],
)
def test_a_weekend_off_cost_mondays_report(schedule: Any, ran: str, tmp_path: Path) -> None:
    """Off from Friday 18:00 to Monday 08:00, a grace of 6 h: Monday's was thrown away with Saturday's and Sunday's."""
    clock, told = FakeClock(FRIDAY), list[Job]()
    store = JsonStore(tmp_path / "tasks.json", durability="os")
    app, seen = Scheduler(store, clock=clock), list[Any]()

    @app.periodic(schedule, name="report", misfire_grace_time=6 * 3600)
    def report() -> None:
        job = current_job()
        assert job is not None
        seen.append(job.fire)

    app.on.skipped(told.append)
    app.run_due()
    clock.advance(62 * 3600)
    app.run_due()
    assert [datetime.fromtimestamp(fire.at_ms / 1000, UTC).isoformat() for fire in seen] == [ran]
    assert len(told) == 1
    assert "a newer one runs instead" in str(told[0].reason)
    done = [job.fire.missed for job in store.scan() if job.state is State.SUCCEEDED and job.fire]
    assert done == [2]
    assert store.check() == []
    store.close()


@pytest.mark.parametrize(("misfire", "grace", "ran"), [
    ("run", None, [1, 2, 3, 4]), ("skip", None, [3, 4]), ("skip", 100, [2, 3, 4]), (None, 1, [4]), (None, timedelta(0), []),
])  # fmt: skip
def test_calls_that_do_not_repeat_are_judged_one_by_one_too(misfire: Any, grace: Any, ran: list[int]) -> None:
    clock = FakeClock(FRIDAY)
    app, seen = Scheduler(MemoryStore(), clock=clock), list[int]()
    call = app.task(name="t", misfire=misfire, misfire_grace_time=grace)(seen.append)
    for number, countdown in enumerate((10, 50, 100, 149.5), 1):
        call.after(countdown).delay(number)
    clock.advance(150)
    app.run_due()
    assert seen == ran


def test_a_grace_was_forgotten_where_it_contradicts() -> None:
    app = Scheduler(MemoryStore())
    with pytest.raises(InvalidValue, match="expires must be a number of seconds or a timedelta for a schedule"):
        app.periodic(5, name="x", expires=FRIDAY)(lambda: None)
    assert app.schedules == []


def test_a_schedule_of_somebody_elses_that_fails_ended_the_ticker(caplog: Any) -> None:
    class Broken(Listed):
        broken = False

        def after(self, ms: int) -> int | None:
            return 1 // 0 if self.broken else ms if self.fires == [] else super().after(ms)

    clock, ran = FakeClock(0), list[str]()
    app = Scheduler(MemoryStore(), clock=clock)
    broken = Broken([1_000, 2_000, 40_000])
    app.periodic(broken, name="broken")(lambda: ran.append("broken"))
    app.periodic(every(10), name="sound")(lambda: ran.append("sound"))
    app.run_due()
    broken.broken = True
    clock.advance(10)
    app.run_due()
    assert sorted(ran) == ["broken", "sound"]
    assert "Schedule broken does not fire: its after() failed" in caplog.text
    broken.broken = False
    for _ in range(4):
        clock.advance(10)
        app.run_due()
    assert ran.count("broken") == 2
    broken.fires = []
    clock.advance(60)
    app.run_due()
    assert "must be later than that" in caplog.text
