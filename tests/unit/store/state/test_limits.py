"""What holds a job back, and until when; and that of rates no more is remembered than still matters."""

from __future__ import annotations

import pytest
from hourwheel.errors import InvalidValue
from hourwheel.job import Bound, Fire, Job
from hourwheel.store import MemoryStore
from hourwheel.store.state.limits import Barrier, Limits, Trial, paused_queues, refuse_odd_name

from tests.kit.jobs import NOW, a_job


def start(limits: Limits, numbers: range, now_ms: int) -> None:
    for number in numbers:
        limits.started(a_job("a", limits=(Bound(f"task:mail {number}", 1, 60_000),)), now_ms)


def test_a_rate_for_each_of_many_users_is_forgotten_once_it_is_over() -> None:
    limits = Limits()
    start(limits, range(1_024), NOW)
    assert len(limits.next_us) == 1_024
    start(limits, range(5_000, 5_001), NOW + 120_000)
    assert list(limits.next_us) == ["task:mail 5000"]


def test_of_many_rates_that_all_matter_none_is_forgotten_and_not_each_start_looks_at_all_of_them() -> None:
    looks = []

    class Counting(Limits):
        __slots__ = ()

        def ahead(self, now_ms: int) -> dict[str, int]:
            looks.append(len(self.next_us))
            return super().ahead(now_ms)

    limits = Counting()
    start(limits, range(10_000), NOW)
    assert len(limits.next_us) == 10_000
    assert looks == [1_025, 2_051, 4_103, 8_207]


def limited(most: int, per_ms: int | None) -> Job:
    return a_job("a", limits=(Bound("task:mail", most, per_ms or 0),))


@pytest.mark.parametrize(
    ("most", "next_us"),
    [(1, 1_000_000), (10, 100_000), (11, -9_090), (1_000, -99_000)],
)
def test_a_start_after_a_long_rest_uses_at_most_a_tenth_of_a_second_of_it(most: int, next_us: int) -> None:
    limits, trial = Limits(), Trial(Limits(), NOW)
    limits.started(limited(most, 1_000), NOW)
    assert limits.next_us == {"task:mail": NOW * 1_000 + next_us}
    trial.take(limited(most, 1_000))
    assert trial._next_us == limits.next_us


def test_a_start_that_is_further_off_than_two_spaces_was_told_by_a_clock_that_was_set_back_since() -> None:
    until_us = NOW * 1_000 + 2_000_000
    held = Trial(Limits(next_us={"task:mail": until_us}), NOW).barrier(limited(1, 1_000))
    assert held == Barrier("rate:task:mail", NOW + 2_000)
    assert Trial(Limits(next_us={"task:mail": until_us + 1}), NOW).barrier(limited(1, 1_000)) is None
    assert Trial(Limits(next_us={"task:mail": NOW * 1_000}), NOW).barrier(limited(1, 1_000)) is None
    soon = Limits(next_us={"task:mail": NOW * 1_000 + 1})
    assert Trial(soon, NOW).barrier(limited(1, 1_000)) == Barrier("rate:task:mail", NOW + 1)
    assert soon.copy().next_us == soon.next_us


def test_a_rate_is_over_a_tenth_of_a_second_after_the_next_might_have_started() -> None:
    since_us = NOW * 1_000 - 100_000
    limits = Limits(next_us={"over": since_us, "matters": since_us + 1})
    assert limits.ahead(NOW) == {"matters": since_us + 1}


def test_a_fire_that_was_followed_is_tried_again_while_its_schedule_is_paused() -> None:
    fire = Fire("nightly", NOW, "every hour")
    trial = Trial(Limits({"schedule:nightly"}), NOW)
    assert trial.barrier(a_job("a", fire=fire)) == Barrier("schedule:nightly")
    assert trial.barrier(a_job("a", fire=fire._replace(followed=True))) is None


def test_a_task_whose_name_ends_like_that_of_a_queue_does_not_pause_it() -> None:
    assert paused_queues(Limits({"task:xmail", "queue:sms"})) == {"sms"}


@pytest.mark.parametrize("name", ["queue:" + "a" * 294, "task:a", "schedule:a", "task:a:b", "queue:ä"])
def test_what_can_be_paused(name: str) -> None:
    refuse_odd_name(name)


@pytest.mark.parametrize("name", ["queue:" + "a" * 295, "task:", "task", "worker:a", "", "task:\ud83d\ude00", None])
def test_what_cannot_be_paused(name: str) -> None:
    with pytest.raises(InvalidValue, match="of at most 300 characters"):
        refuse_odd_name(name)


def test_a_thousand_names_may_be_paused_and_no_more() -> None:
    store = MemoryStore()
    store.pause([f"task:{n}" for n in range(1_000)])
    with pytest.raises(InvalidValue, match="no more than 1000"):
        store.pause(["queue:one"])
    store.resume(["task:0"])
    assert store.pause(["queue:one"]) == ["queue:one"]
