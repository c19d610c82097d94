"""Makes a failing history as short as it can be: what is left is what it takes.

Delta debugging (Zeller's ddmin): leave out a half, a quarter, ... of the happenings, and keep what still fails; then
fewer nodes, fewer workers, smaller bursts. A history is played from its beginning each time, so what is left fails by
itself, whenever it is played.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final

from .happenings import Add, Happening
from .history import History

_SECOND_MS: Final = 1000


def shrink(history: History, fails: Callable[[History], bool], most: int = 600) -> History:
    """The shortest history found that still fails.

    Args:
        history: one that fails.
        fails: plays a history; deterministic.
        most: so many plays, at most.
    """
    search = _Search(fails, most)
    best = search.fewer(search.shorter_day(history))
    while search.left > 0:
        smaller = next((simpler for simpler in _simpler(best) if search.fails(simpler)), None)
        if smaller is None:
            break
        best = search.fewer(smaller)
    return best


class _Search:
    def __init__(self, fails: Callable[[History], bool], most: int) -> None:
        self._fails = fails
        self.left = most

    def fails(self, history: History) -> bool:
        self.left -= 1
        return self.left >= 0 and self._fails(history)

    def shorter_day(self, history: History) -> History:
        """The happenings up to the one that it takes, by halving."""
        low, high = 0, len(history.happenings)
        while low < high:
            middle = (low + high) // 2
            if self.fails(_of(history, history.happenings[:middle])):
                high = middle
            else:
                low = middle + 1
        cut = _of(history, history.happenings[:high])
        return cut if high < len(history.happenings) and self.fails(cut) else history

    def fewer(self, history: History) -> History:
        """Leave out runs of happenings, long ones first."""
        kept = list(history.happenings)
        size = max(1, len(kept) // 2)
        while size and kept and self.left > 0:
            at, removed = 0, False
            while at < len(kept):
                rest = kept[:at] + kept[at + size :]
                if self.fails(_of(history, rest)):
                    kept, removed = rest, True
                else:
                    at += size
            size = size if removed and size == 1 else size // 2
        return _of(history, kept)


def _of(history: History, happenings: list[Happening] | tuple[Happening, ...]) -> History:
    """The same world with these happenings, and no longer than they take."""
    last_ms = max((each.at_ms for each in happenings), default=0)
    length_ms = min(history.length_ms, last_ms + _SECOND_MS)
    return replace(history, happenings=tuple(happenings), length_ms=length_ms)


def _simpler(history: History) -> Iterator[History]:
    """Histories that are a little simpler, the boldest first."""
    for nodes in range(1, history.nodes):
        yield replace(history, nodes=nodes)
    for workers in range(1, history.workers):
        yield replace(history, workers=workers)
    for at, each in enumerate(history.happenings):
        if isinstance(each, Add):
            for simple in _simpler_adds(each):
                yield replace(history, happenings=(*history.happenings[:at], simple, *history.happenings[at + 1 :]))


def _simpler_adds(add: Add) -> Iterator[Add]:
    for count in sorted({1, add.count // 2, add.count - 1}):
        if 0 < count < add.count:
            yield replace(add, count=count)
    plain = Add(at_ms=add.at_ms, id=add.id, count=add.count)
    for name in ("key", "on_conflict", "priority", "expires_ms", "max_crashes", "fate", "retry_ms", "node"):
        if getattr(add, name) != getattr(plain, name):
            yield replace(add, **{name: getattr(plain, name)})
