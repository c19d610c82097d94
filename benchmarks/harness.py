"""What every benchmark needs: batches in turn, medians, ratios, rows, and a table of them.

Machines are noisy, and noisier from minute to minute than from second to second. So what is to be compared runs in
turn, batch by batch, in changing order; the figure is the median of the batches with the smallest and the largest
beside it, and a ratio is the median of the ratios of each round, in which both sides saw the same machine.
"""

from __future__ import annotations

import math
import os
import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How large this run is, and where it may write."""

    smoke: bool
    directory: str

    def size(self, full: int, small: int) -> int:
        """The one or the other: full size, or that of a smoke run."""
        return small if self.smoke else full

    def scratch(self, name: str) -> str:
        """A new empty directory."""
        for number in range(10_000):
            path = os.path.join(self.directory, f"{name}-{number}")
            if not os.path.exists(path):
                os.makedirs(path, mode=0o700)
                return path
        raise RuntimeError(f"no room for another {name}")


@dataclass(frozen=True, slots=True)
class Sample:
    """One figure per batch."""

    values: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.values:
            raise ValueError("a sample must have values, got none")

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    def show(self, unit: str, digits: int = 0) -> str:
        """``median unit [smallest-largest]``.

        >>> Sample((3.0, 1.0, 2.0)).show("/s")
        '2/s [1-3]'
        """
        if len(self.values) == 1:
            return f"{self.median:,.{digits}f}{unit}"
        low, high = min(self.values), max(self.values)
        return f"{self.median:,.{digits}f}{unit} [{low:,.{digits}f}-{high:,.{digits}f}]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table."""

    what: str
    figure: str
    beside: str
    """The floor or peer, measured in the same run."""
    measure: float | None = None
    """What the bound is about; None if there is no bound."""
    digits: int = 2
    unit: str = ""
    bound: float | None = None
    sense: Literal["at least", "at most"] = "at least"

    @property
    def met(self) -> bool | None:
        """Whether the bound is met; None where there is none."""
        if self.bound is None or self.measure is None:
            return None
        return self.measure >= self.bound if self.sense == "at least" else self.measure <= self.bound


# ---- measuring -------------------------------------------------------------------------------------------


def rate(work: Callable[[], object], times: int) -> float:
    """How often per second ``work`` can be called, over ``times`` calls."""
    begun = time.perf_counter()
    for _ in range(times):
        work()
    return times / (time.perf_counter() - begun)


def seconds(work: Callable[[], object]) -> float:
    """How long one call takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def interleave(parts: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, Sample]:
    """Call each part once a round, forwards and backwards in turn; what they returned, by name.

    >>> interleave({"a": lambda: 1.0, "b": lambda: 2.0}, 2)["b"].values
    (2.0, 2.0)
    """
    values: dict[str, list[float]] = {name: [] for name in parts}
    for number in range(rounds):
        names = list(parts) if number % 2 == 0 else list(parts)[::-1]
        for name in names:
            values[name].append(parts[name]())
    return {name: Sample(tuple(found)) for name, found in values.items()}


def ratio(part: Sample, whole: Sample) -> Sample:
    """Round by round, what ``part`` is of ``whole``.

    >>> ratio(Sample((2.0, 3.0)), Sample((4.0, 4.0))).values
    (0.5, 0.75)
    """
    return Sample(tuple(one / other for one, other in zip(part.values, whole.values, strict=True)))


def percentile(values: Iterable[float], percent: float) -> float:
    """The smallest value that ``percent`` per cent of the values do not exceed.

    >>> percentile([4, 1, 3, 2], 50), percentile([4, 1, 3, 2], 99)
    (2, 4)
    """
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


# ---- showing ---------------------------------------------------------------------------------------------


def table(rows: Sequence[Row], *, judged: bool) -> str:
    """The rows as a Markdown table; ``judged`` is whether to say which bounds are met."""
    lines = ["| what | figure | beside it | measure | bound | met |", "|---|---|---|---|---|---|"]
    for row in rows:
        measure = "-" if row.measure is None else f"{row.measure:,.{row.digits}f}{row.unit}"
        bound = "-" if row.bound is None else f"{row.sense} {row.bound:,g}{row.unit}"
        cells = (row.what, row.figure, row.beside, measure, bound, _verdict(row.met) if judged else "-")
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)


def _verdict(met: bool | None) -> str:
    return "-" if met is None else "yes" if met else "**no**"
