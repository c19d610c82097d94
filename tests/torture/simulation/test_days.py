"""Bad days: drawn from a seed, written down, judged, and brought down to what it takes."""

from __future__ import annotations

import json

from .bugs import due_is_rounded_down, rescue_is_forgotten, sown
from .days import History, bad_day, play, shrink
from .days.happenings import Add, Crash, SetClock, in_words


def test_a_seed_draws_the_same_day_always() -> None:
    assert bad_day(7) == bad_day(7)
    assert bad_day(7) != bad_day(8)


def test_a_happening_is_a_line_for_people() -> None:
    assert in_words(SetClock(at_ms=65_000, by_ms=-1000)) == "0:01:05.000  SetClock by_ms=-1000"


def test_a_history_can_be_written_down_and_played_again() -> None:
    history = bad_day(9, jobs=30)
    again = History.of_document(json.loads(json.dumps(history.as_document())))
    assert again == history
    assert play(again).hash == play(history).hash


def test_a_failing_history_comes_down_to_what_it_takes() -> None:
    with sown(rescue_is_forgotten):
        course = next(course for seed in range(20) if (course := play(bad_day(seed))).violation)
        shortest = shrink(course.history, lambda history: play(history).violation is not None)
        assert play(shortest).violation is not None
    assert {type(each) for each in shortest.happenings} == {Add, Crash}
    assert len(shortest.happenings) == 2
    assert play(shortest).violation is None


def test_what_is_early_is_told_with_job_and_instant() -> None:
    history = History(happenings=(Add(at_ms=0, id="a", delay_ms=1500),), nodes=1, length_ms=1000)
    with sown(due_is_rounded_down):
        violation = play(history).violation
    assert violation is not None
    assert violation.startswith("early: node-0.1 got a at ")
    assert "due 1767225601500" in violation
