"""Theil and Sen's slope: the median of the slopes between all pairs of points, which outliers and sawteeth do not move."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from math import sqrt
from statistics import median
from typing import NamedTuple

_POINTS_MOST = 300
_Z_95 = 1.96


class Slope(NamedTuple):
    """A slope, and between which two it lies with a probability of 95 %, were the points independent."""

    value: float
    low: float
    high: float


def slope_of(points: Sequence[tuple[float, float]]) -> Slope:
    """The slope of y over x.

    >>> slope_of([(0, 1.0), (1, 3.0), (2, 5.0), (3, 90.0), (4, 9.0)]).value
    2.0
    """
    step = max(1, len(points) // _POINTS_MOST)
    chosen = points[::step]
    slopes = sorted((b[1] - a[1]) / (b[0] - a[0]) for a, b in combinations(chosen, 2) if b[0] > a[0])
    if not slopes:
        return Slope(0.0, float("-inf"), float("inf"))
    n = len(chosen)
    off = round(_Z_95 * sqrt(n * (n - 1) * (2 * n + 5) / 18) / 2)
    middle = len(slopes) // 2
    return Slope(median(slopes), slopes[max(0, middle - off)], slopes[min(len(slopes) - 1, middle + off)])
