"""What is told of all rounds together."""

from __future__ import annotations

from collections import Counter

from ..report import Report
from .witness import Kind


class Tally:
    """Counts and times."""

    def __init__(self) -> None:
        self.kinds: Counter[int] = Counter()
        self.endings: Counter[str] = Counter()
        self.rescues: list[float] = []
        self.deaths = 0
        self.compactions = 0
        self.held = 0
        self.shares: list[float] = []
        self.beyond: list[float] = []
        self.seconds = 0.0

    def must_have_been_rough(self, report: Report) -> None:
        """Nobody killed, nobody stopped with the lock in his hand, nothing compacted: that would prove nothing."""
        report.demand(self.deaths and self.held and self.rescues, "it was too gentle: nobody was killed or stopped")
        report.demand(self.compactions and self.beyond, "it was too gentle: nothing was compacted or found busy")

    def put_into(self, report: Report) -> None:
        """As figures."""
        figures = report.figures
        figures["claims a second, all processes"] = f"{report.cases / max(self.seconds, 0.001):,.0f}"
        figures["killed, stopped, of these with the lock in hand"] = (
            f"{self.deaths:,}, {self.kinds[Kind.CONTINUE]:,}, {self.held:,}"
        )
        figures["claims ended as"] = ", ".join(f"{n:,} {name}" for name, n in self.endings.most_common())
        figures["added, cancelled, compacted, found busy"] = (
            f"{self.kinds[Kind.ADDED]:,}, {self.kinds[Kind.CANCELLED]:,}, "
            f"{self.compactions:,}, {self.kinds[Kind.BUSY]:,}"
        )
        if self.beyond:
            figures["StoreBusy came later than its timeout by"] = (
                f"p50 {sorted(self.beyond)[len(self.beyond) // 2]:.3f} s, max {max(self.beyond):.3f} s"
            )
        if times := sorted(self.rescues):
            p50, p99 = times[len(times) // 2], times[len(times) * 99 // 100]
            figures["jobs of a dead process start again after"] = (
                f"p50 {p50:.3f} s, p99 {p99:.3f} s, max {times[-1]:.3f} s of {len(times):,}; "
                f"of the time they could have run the processes were given {self._given():.0%}"
            )

    def _given(self) -> float:
        return sum(self.shares) / len(self.shares) if self.shares else 1.0
