"""Draw the ring: as an SVG for web pages, or as lines of text for a terminal. Pure.

In the SVG the 60 sectors are the minutes of an hour, and the 60 bands of a sector are its seconds, from the inside out.
So each of the 3600 slots has a cell, and the hand goes round once an hour. Colours follow the reader's light or dark
mode. There are no scripts and no external resources, so a strict content security policy allows it.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise
from math import cos, pi, sin
from typing import Final
from xml.sax.saxutils import escape

from ..errors import InvalidValue
from ..explain.plan import bar

SLOTS: Final = 3600
SECTORS: Final = 60
BANDS: Final = SLOTS // SECTORS
SHADES: Final = 5

_WIDTH: Final = 640
_HEIGHT: Final = 710
_CENTRE: Final = (320.0, 346.0)
_INNER: Final = 100.0
_OUTER: Final = 268.0
_BAND: Final = (_OUTER - _INNER) / BANDS
_SECTOR: Final = 2 * pi / SECTORS
_GAP: Final = 0.07 * _SECTOR

_HAND: Final = "┃"
_UNSAFE: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

_STYLE: Final = """
.card{fill:#fbfcfd;stroke:#dfe5ea}.bed{fill:#eef2f5}.rim{stroke:#9fb0bd}.text{fill:#22313c}.quiet{fill:#667885}
.card.hand,.hand{stroke:#d9480f}.tip{fill:#d9480f}
.s1{fill:#abd5ea}.s2{fill:#74b9dc}.s3{fill:#3590c4}.s4{fill:#15669f}.s5{fill:#0b3c6b}
text{font-family:system-ui,-apple-system,"Segoe UI","DejaVu Sans",sans-serif}
@media (prefers-color-scheme:dark){
.card{fill:#10171d;stroke:#26323b}.bed{fill:#18222a}.rim{stroke:#4b5f6d}.text{fill:#e6edf2}.quiet{fill:#8fa1ae}
.card.hand,.hand{stroke:#ffa94d}.tip{fill:#ffa94d}
.s1{fill:#174a66}.s2{fill:#1f6f96}.s3{fill:#2f9bcb}.s4{fill:#6cc7ec}.s5{fill:#d3f1ff}
}"""


def ring_svg(density: Sequence[int], hand: int, *, title: str = "", labels: Sequence[str] = ()) -> str:
    """Draw the ring as an SVG document.

    Args:
        density: 3600 counts, one per slot, as from Ring.density or Store.density.
        hand: the last second swept, in seconds since the epoch (or a slot).
        title: a line above the ring.
        labels: lines for the middle of the ring, under the count; about three fit.

    Returns:
        The text of an SVG document of 640 x 710, for a file or to embed in a page.

    Raises:
        InvalidValue: density is not 3600 counts of zero or more.

    >>> ring_svg([0] * 3600, 0, title="a & b").count("a &amp; b")
    2
    """
    _check(density)
    starts = shade_starts(max(density))
    name = title or "Hourwheel"
    summary = f"{name}: {_jobs(sum(density))} on a ring of {SLOTS} slots, the hand is at slot {hand % SLOTS}"
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img">',
            f"<title>{_safe(summary)}</title>",
            f"<style>{_STYLE}</style>",
            f'<rect class="card" x=".5" y=".5" width="{_WIDTH - 1}" height="{_HEIGHT - 1}" rx="14"/>',
            _text(_WIDTH / 2, 31, name, size=17, weight=600),
            *_rim(),
            *(_sector(sector, density, starts) for sector in range(SECTORS)),
            *_needle(hand % SLOTS),
            *_middle(density, hand, labels),
            *_legend(starts, max(density)),
            "</svg>\n",
        ]
    )


def ring_text(density: Sequence[int], hand: int, *, columns: int = 60, rows: int = 10) -> str:
    """Draw the ring as lines for a terminal. Time runs along the rows; the height of a bar is the count of its cell.

    Args:
        density: 3600 counts, one per slot.
        hand: the last second swept, in seconds since the epoch (or a slot).
        columns: cells per row, a character each.
        rows: how many rows to use. columns * rows must be at most 3600.

    Returns:
        ``rows`` lines, each with its first minute on the left and its count of jobs on the right, and a legend.

    Raises:
        InvalidValue: density is not 3600 counts of zero or more, or there are no cells or too many.

    >>> print(ring_text([0] * 1800 + [9] + [0] * 1799, 60, columns=12, rows=1))
    00:00 ┃·····█·····        9
    ┃ hand at slot 60   █ 9 in 300 s   9 jobs
    """
    _check(density)
    count = columns * rows
    if columns < 1 or rows < 1 or count > SLOTS:
        raise InvalidValue.of("columns * rows", f"from 1 to {SLOTS}", count)
    edges = [SLOTS * cell // count for cell in range(count + 1)]
    cells = [sum(density[start:end]) for start, end in pairwise(edges)]
    at = bisect_right(edges, hand % SLOTS) - 1
    most = max(cells)
    signs = [_HAND if cell == at else bar(jobs, most) for cell, jobs in enumerate(cells)]
    lines = []
    for row in range(rows):
        span = slice(row * columns, (row + 1) * columns)
        minute, second = divmod(edges[row * columns], 60)
        lines.append(f"{minute:02}:{second:02} {''.join(signs[span])} {sum(cells[span]):>8,}")
    scale = f"   {bar(1, 1)} {most:,} in {SLOTS / count:g} s" if most else ""
    lines.append(f"{_HAND} hand at slot {hand % SLOTS}{scale}   {_jobs(sum(density))}")
    return "\n".join(lines)


def shade_starts(most: int) -> list[int]:
    """Return the smallest count of each of up to five shades, for counts up to ``most``: powers of a base, 2 or more.

    >>> shade_starts(1), shade_starts(20), shade_starts(100_000)
    ([1], [1, 2, 4, 8, 16], [1, 10, 100, 1000, 10000])
    """
    base = 2
    while base**SHADES < most:
        base += 1
    base = next((nice for nice in (2, 3, 4, 5, 10, 20, 50, 100) if nice >= base), base)
    return [base**shade for shade in range(SHADES) if shade == 0 or base**shade <= most]


# ---- parts of the SVG ----------------------------------------------------------------------------------------


def _rim() -> list[str]:
    """The background, a tick for each minute, and the number of every fifth."""
    middle, width = (_INNER + _OUTER) / 2, _OUTER - _INNER + 8
    parts = [
        f'<circle class="bed" cx="{_CENTRE[0]:g}" cy="{_CENTRE[1]:g}" r="{_OUTER + 6:g}"/>',
        f'<circle class="card" cx="{_CENTRE[0]:g}" cy="{_CENTRE[1]:g}" r="{middle - width / 2:g}"/>',
    ]
    short: list[str] = []
    long: list[str] = []
    for sector in range(SECTORS):
        tick = long if sector % 5 == 0 else short
        tick.append(_line(_OUTER + 6, _OUTER + (15 if sector % 5 == 0 else 10), sector * _SECTOR))
    parts.append(f'<path class="rim" fill="none" stroke-width="1" d="{"".join(short)}"/>')
    parts.append(f'<path class="rim" fill="none" stroke-width="2" d="{"".join(long)}"/>')
    for minute in range(0, SECTORS, 5):
        x, y = _point(_OUTER + 27, minute * _SECTOR)
        parts.append(_text(x, y + 4, f"{minute:02}", size=12, colour="quiet"))
    return parts


def _sector(sector: int, density: Sequence[int], starts: Sequence[int]) -> str:
    """One minute: its cells as one path per shade, and a tooltip with its counts."""
    first = sector * BANDS
    counts = density[first : first + BANDS]
    if not any(counts):
        return ""
    paths: dict[int, list[str]] = {}
    for band, jobs in enumerate(counts):
        if jobs:
            shade = sum(start <= jobs for start in starts)
            paths.setdefault(_spread(shade, len(starts)), []).append(_cell(sector, band))
    drawn = "".join(f'<path class="s{shade}" d="{"".join(cells)}"/>' for shade, cells in sorted(paths.items()))
    fullest = max(range(BANDS), key=counts.__getitem__)
    tip = f"slots {first} to {first + BANDS - 1}: {_jobs(sum(counts))}, most in slot {first + fullest}: {max(counts):,}"
    return f"<g><title>{tip}</title>{drawn}</g>"


def _cell(sector: int, band: int) -> str:
    start, end = sector * _SECTOR + _GAP / 2, (sector + 1) * _SECTOR - _GAP / 2
    inner = _INNER + band * _BAND
    outer = inner + _BAND * 0.86
    corners = [_point(inner, start), _point(outer, start), _point(outer, end), _point(inner, end)]
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in corners) + "Z"


def _needle(slot: int) -> list[str]:
    """The hand: it points to the minute, and a bead on it shows the second."""
    angle = (slot // BANDS + 0.5) * _SECTOR
    x, y = _point(_INNER + (slot % BANDS + 0.43) * _BAND, angle)
    tip_x, tip_y = _point(_OUTER + 8, angle)
    line = _line(_INNER - 16, _OUTER + 8, angle)
    return [
        f'<path class="hand" fill="none" stroke-width="2" stroke-linecap="round" d="{line}"/>',
        f'<circle class="tip" cx="{tip_x:.1f}" cy="{tip_y:.1f}" r="4"/>',
        f'<circle class="hand card" stroke-width="2" cx="{x:.1f}" cy="{y:.1f}" r="4.5"/>',
    ]


def _middle(density: Sequence[int], hand: int, labels: Sequence[str]) -> list[str]:
    x, y = _CENTRE
    lines = [f"{_noun(sum(density))}, hand at slot {hand % SLOTS}", *labels]
    top = y - 8.5 * len(lines)
    return [
        _text(x, top, f"{sum(density):,}", size=30, weight=700),
        *(_text(x, top + 22 + 17 * row, line, size=12.5, colour="quiet") for row, line in enumerate(lines)),
    ]


def _legend(starts: Sequence[int], most: int) -> list[str]:
    """A swatch for each shade, with its range of counts."""
    if not most:
        return [_text(_WIDTH / 2, _HEIGHT - 26, "no jobs in this turn", size=12.5, colour="quiet")]
    ends = [following - 1 for following in starts[1:]] + [most]
    step = 92.0
    x = _WIDTH / 2 - step * len(starts) / 2 + 4
    parts = []
    for shade, (start, end) in enumerate(zip(starts, ends, strict=True), 1):
        label = f"{start:,}" if start == end else f"{start:,}\u2013{end:,}"
        colour = _spread(shade, len(starts))
        parts.append(f'<rect class="s{colour}" x="{x:.1f}" y="{_HEIGHT - 37}" width="14" height="14" rx="3"/>')
        parts.append(_text(x + 20, _HEIGHT - 25.5, label, size=12, colour="quiet", anchor="start"))
        x += step
    return parts


def _spread(shade: int, of: int) -> int:
    """Spread the shades in use over all five colours, so that a ring of single jobs does not look pale."""
    return shade if of == SHADES else 1 + shade * (SHADES - 1) // (of + 1)


def _point(radius: float, angle: float) -> tuple[float, float]:
    """The point at an angle, clockwise from the top."""
    return _CENTRE[0] + radius * sin(angle), _CENTRE[1] - radius * cos(angle)


def _line(inner: float, outer: float, angle: float) -> str:
    (x1, y1), (x2, y2) = _point(inner, angle), _point(outer, angle)
    return f"M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}"


def _text(
    x: float, y: float, line: str, *, size: float, weight: int = 400, colour: str = "text", anchor: str = "middle"
) -> str:
    where = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size:g}" font-weight="{weight}"'
    return f'<text class="{colour}" {where}>{_safe(line)}</text>'


def _safe(text: str) -> str:
    """Escape text for XML, and replace characters that XML forbids."""
    return escape(_UNSAFE.sub("\ufffd", text))


# ---- parts of the text ---------------------------------------------------------------------------------------


def _jobs(count: int) -> str:
    return f"{count:,} {_noun(count)}"


def _noun(count: int) -> str:
    return "job" if count == 1 else "jobs"


def _check(density: Sequence[int]) -> None:
    if len(density) != SLOTS:
        raise InvalidValue.of("density", f"{SLOTS} counts", len(density))
    if min(density) < 0:
        raise InvalidValue.of("density", "counts of zero or more", min(density))
