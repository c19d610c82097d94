"""Judge: opens what a crash has left, and says whether that is a content which the store may have then.

Opening is a function of the bytes, so a state whose bytes were opened before is not opened again: what was found then is
compared with what may be found now. Both are counted, all states and the ones that were opened.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hourwheel.errors import StoreCorrupt
from hourwheel.store import JsonStore
from hourwheel.store.file.creation import open_or_create
from hourwheel.store.file.system.place import Place
from hourwheel.store.state.invariants import violations
from hourwheel.store.state.views import jobs

from tests.kit.jobs import StoppedClock, a_job, content
from tests.kit.memory_system import DIRECTORY, MemorySystem

from .workload import Content

NAME = "tasks.json"
PLACE = Place(f"{DIRECTORY}/{NAME}")
_NOT_READ = (f"{NAME}.lock", f"{NAME}.next", f"{NAME}.owner.")
"""Beginnings of the names of files whose content says nothing when a store is opened."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shares:
    """Of the states that are opened, how many are looked at more closely."""

    checked: float = 0.1
    """All invariants are checked."""
    worked_on: float = 0.01
    """Jobs are added to what is left and it is compacted, so that remains behind the records would be met."""


@dataclass(slots=True)
class Opened:
    """What was found when certain bytes were opened: a content, or an error."""

    content: Content | None
    error: str = ""
    refused: bool = False
    """The error is the store's own word for damage."""
    places: frozenset[int] = frozenset()
    """Where in the history there is this content."""


class Judge:
    """Knows the contents that a store has had, in order, and judges what crashes have left of it."""

    def __init__(self, history: Sequence[Content], rng: random.Random, shares: Shares = Shares()) -> None:  # noqa: B008
        self._history = history
        self._rng = rng
        self._shares = shares
        self._seen: dict[tuple[tuple[str, bytes], ...], Opened] = {}

    @property
    def opened(self) -> int:
        """How many states were opened, being different from each other."""
        return len(self._seen)

    def wrong_with(self, files: Mapping[str, bytes], low: int, high: int, *, may_refuse: bool = False) -> str:
        """What is wrong with a state whose content must be one of those from ``low`` to ``high``; "" if nothing is."""
        opened = self.open(files)
        if opened.content is None or opened.error:
            return "" if may_refuse and opened.refused else opened.error
        if any(low <= place <= high for place in opened.places):
            return ""
        return self._what_is_missing(opened.content, low, high)

    def open(self, files: Mapping[str, bytes]) -> Opened:
        """What these files hold, looked at more closely now and then."""
        key = tuple(sorted(item for item in files.items() if not item[0].startswith(_NOT_READ)))
        found = self._seen.get(key)
        if found is None:
            try:
                found = self._look(files)
            except Exception as error:
                refused = isinstance(error, StoreCorrupt)
                found = Opened(None, f"cannot be opened: {error!r:.90}", refused)
            self._seen[key] = found
        return found

    def _look(self, files: Mapping[str, bytes]) -> Opened:
        system = MemorySystem(files)
        epoch = open_or_create(PLACE, system)
        found = {job.id: job for job in jobs(epoch.state)}
        broken = violations(epoch.state) if self._rng.random() < self._shares.checked else []
        epoch.close()
        places = frozenset(place for place, content in enumerate(self._history) if content == found)
        if broken:
            return Opened(found, f"an invariant: {broken[0]}")
        if self._rng.random() < self._shares.worked_on:
            return Opened(found, self._work_on(system, found), places=places)
        return Opened(found, places=places)

    def _what_is_missing(self, found: Content, low: int, high: int) -> str:
        if self._history[low].keys() - found.keys():
            return "an acknowledged job is lost"
        if found.keys() - self._history[high].keys():
            return "a job is invented"
        return "the state is none that the store ever had since it last acknowledged"

    def _work_on(self, system: MemorySystem, found: Content) -> str:
        """Work with what is left, in records of many lengths, so that remains of the old ones would be met."""
        store = JsonStore(PLACE.path, system=system, clock=StoppedClock(), allow_network_fs=True)
        wanted = dict(found)
        for number in range(8):
            job = a_job(f"new-{number}", payload=f'[["{"y" * self._rng.randint(0, 300)}"],{{}}]', result_ttl_ms=1 << 40)
            store.add([job], 0, fresh=True)
            wanted[job.id] = job
            if content(store) != wanted:
                return "what was left behind came back to life"
        store.compact()
        if content(store) != wanted or store.check():
            return "compaction afterwards changed the content"
        store.close()
        return ""
