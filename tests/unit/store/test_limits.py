"""What a store remembers of rates: no more than still matters."""

from __future__ import annotations

from noria.store.limits import Limits
from noria.wheel.job import Bound

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
