"""How a run of campaigns is shown: one table, what was wrong, and what else was measured."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from .report import Report
from .run import Ended

_HEAD = ("campaign", "cases", "violations", "seeded bugs caught", "seconds")


def lines(ended: Sequence[Ended], all_seconds: float) -> Iterator[str]:
    """The table, as text."""
    rows = [_row(one) for one in ended]
    rows.append(_total(ended, all_seconds))
    widths = [max(len(row[place]) for row in [_HEAD, *rows]) for place in range(len(_HEAD))]
    yield _aligned(_HEAD, widths)
    yield "  ".join("-" * width for width in widths)
    yield from (_aligned(row, widths) for row in rows)


def markdown(ended: Sequence[Ended], all_seconds: float) -> Iterator[str]:
    """The table, for docs/reliability.md."""
    yield "| " + " | ".join(_HEAD) + " |"
    yield "|---" + "|---:" * (len(_HEAD) - 1) + "|"
    for row in [*(_row(one) for one in ended), _total(ended, all_seconds)]:
        yield "| " + " | ".join(row) + " |"


def figures(ended: Iterable[Ended]) -> Iterator[str]:
    """What else each campaign counted or measured, a line each."""
    for one in ended:
        for name, value in one.report.figures.items():
            yield f"{one.campaign.name}: {name}: {value}"


def bugs(ended: Iterable[Ended]) -> Iterator[str]:
    """Which seeded bugs each campaign was given, and whether it noticed."""
    for one in ended:
        for bug, caught in one.report.bugs.items():
            yield f"{one.campaign.name}: {bug}: {'caught' if caught else 'NOT CAUGHT'}"


def wrong(ended: Iterable[Ended]) -> Iterator[str]:
    """Everything that a run failed for."""
    for one in ended:
        yield from _wrong(one.campaign.name, one.report)


def _wrong(name: str, report: Report) -> Iterator[str]:
    for what, times in report.violations.most_common():
        yield f"{name}: {what}" + (f" ({times} times)" if times > 1 else "")
    for bug, caught in report.bugs.items():
        if not caught:
            yield f"{name}: the seeded bug {bug!r} was not caught"
    if not report.cases:
        yield f"{name}: nothing was tried"


def _row(one: Ended) -> tuple[str, ...]:
    report = one.report
    caught = f"{sum(report.bugs.values())} of {len(report.bugs)}"
    return (
        one.campaign.title,
        f"{report.cases:,}",
        f"{report.violations.total():,}",
        caught if report.bugs else "-",
        f"{one.seconds:.0f}",
    )


def _total(ended: Sequence[Ended], all_seconds: float) -> tuple[str, ...]:
    found = [caught for one in ended for caught in one.report.bugs.values()]
    return (
        "all",
        f"{sum(one.report.cases for one in ended):,}",
        f"{sum(one.report.violations.total() for one in ended):,}",
        f"{sum(found)} of {len(found)}",
        f"{all_seconds:.0f}",
    )


def _aligned(row: Sequence[str], widths: Sequence[int]) -> str:
    first, *rest = (
        cell.ljust(width) if place == 0 else cell.rjust(width)
        for place, (cell, width) in enumerate(zip(row, widths, strict=True))
    )
    return "  ".join([first, *rest])
