"""The arithmetic of the benchmarks: what they say is only as good as this. (That they run is a step of CI.)"""

from __future__ import annotations

import doctest

import pytest

from benchmarks import harness
from benchmarks.harness import Row, Sample, Scale, interleave, percentile, rate, ratio, table


def test_the_examples_in_the_harness() -> None:
    assert doctest.testmod(harness).failed == 0


def test_median_is_the_middle_one_and_the_mean_of_two_middle_ones() -> None:
    assert Sample((9.0, 1.0, 2.0)).median == 2.0
    assert Sample((4.0, 1.0, 2.0, 100.0)).median == 3.0


def test_a_sample_without_values_is_refused_rather_than_shown_as_zero() -> None:
    with pytest.raises(ValueError, match="must have values"):
        Sample(())


def test_a_sample_shows_the_noise_from_smallest_to_largest() -> None:
    assert Sample((2_000.0, 1_000.4, 3_000.0)).show("/s") == "2,000/s [1,000-3,000]"
    assert Sample((1.25,)).show(" ms", 1) == "1.2 ms"


def test_a_ratio_is_taken_round_by_round_so_that_a_slow_minute_does_not_count() -> None:
    # The second round was ten times slower for both: the ratio of the medians would be 0.5 too, but not here:
    mine, floor = Sample((50.0, 5.0, 60.0)), Sample((100.0, 10.0, 100.0))
    assert ratio(mine, floor).values == (0.5, 0.5, 0.6)
    assert ratio(mine, floor).median == 0.5


def test_a_ratio_of_samples_with_different_rounds_is_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        ratio(Sample((1.0,)), Sample((1.0, 2.0)))


def test_parts_take_turns_in_changing_order() -> None:
    order: list[str] = []
    parts = {name: (lambda name=name: order.append(name) or float(len(order))) for name in "abc"}
    found = interleave(parts, 3)
    assert "".join(order) == "abccbaabc"
    assert found["a"].values == (1.0, 6.0, 7.0)


def test_rate_calls_as_often_as_it_is_told() -> None:
    calls: list[None] = []
    assert rate(lambda: calls.append(None), 7) > 0
    assert len(calls) == 7


@pytest.mark.parametrize(("percent", "value"), [(0, 1), (1, 1), (50, 50), (99, 99), (99.5, 100), (100, 100)])
def test_percentile_is_a_value_that_was_measured(percent: float, value: int) -> None:
    assert percentile(reversed(range(1, 101)), percent) == value


def test_the_99th_percentile_of_a_few_is_the_largest() -> None:
    assert percentile([3, 1, 2], 99) == 3


@pytest.mark.parametrize(
    ("sense", "measure", "met"),
    [
        ("at least", 0.45, True), ("at least", 0.449, False), ("at most", 5.0, True), ("at most", 5.01, False),
        ("at least", None, None),
    ],
)  # fmt: skip
def test_a_bound_is_met_at_the_bound_itself(sense: str, measure: float | None, met: bool | None) -> None:
    assert _row(measure=measure, bound=0.45 if sense == "at least" else 5.0, sense=sense).met is met


def test_without_a_bound_nothing_is_met_or_missed() -> None:
    assert _row(measure=1.0).met is None


def test_the_table_says_what_is_not_met_and_a_small_run_judges_nothing() -> None:
    rows = [_row(measure=0.4, bound=0.45, unit=" of the floor"), _row(what="a|b")]
    judged, small = table(rows, judged=True).splitlines(), table(rows, judged=False).splitlines()
    assert judged[2] == "| add | 4/s | floor 10/s | 0.40 of the floor | at least 0.45 of the floor | **no** |"
    assert judged[3] == "| a\\|b | 4/s | floor 10/s | - | - | - |"
    assert small[2].endswith("| - |")


def test_a_scale_chooses_sizes_and_gives_each_scratch_directory_once(tmp_path: object) -> None:
    small, full = Scale(smoke=True, directory=str(tmp_path)), Scale(smoke=False, directory=str(tmp_path))
    assert (small.size(1_000, 10), full.size(1_000, 10)) == (10, 1_000)
    assert small.scratch("x") != small.scratch("x")


def _row(**changes: object) -> Row:
    return Row(**{"what": "add", "figure": "4/s", "beside": "floor 10/s", **changes})  # type: ignore[arg-type]
