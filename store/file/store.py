"""JsonStore: the ring in a JSON file, shared by any number of threads and processes of one machine.

Every change is one append to the journal under the writers' lock, however many jobs are pending. verbs.py decides what
is changed, keeper.py passes the changes of all threads one at a time to the newest epoch, and journal.py writes them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Literal, TypeVar

from ...clock import Clock, SystemClock
from ...contract import OnConflict
from ...errors import InvalidValue
from ...job import Job
from ..codec import encode_job
from ..keeping import FAILED_TTL_S, checked_failed_ttl_ms, checked_max_pending
from ..state.records import Record, Rescued
from ..state.rescuing import rescued
from ..state.state import State
from ..state.verbs import StateVerbs
from .keeper import Keeper
from .newest import Newest
from .system.begun import read_mark
from .system.place import place_at, refuse_unsafe
from .system.system import SYSTEM, System

R = TypeVar("R")

Durability = Literal["sync", "interval", "os"]


class JsonStore(StateVerbs):
    """A ring in a JSON file.

    Args:
        path: of the file; made if it does not exist. Its journal, lock and index stand beside it.
        durability: "sync": what a verb has changed is on the disk when it returns. "interval": it is within a second.
            "os": left to the operating system, so a killed process loses nothing, a power loss some.
        lock_timeout_s: how long a verb waits for other processes before it raises StoreBusy, in seconds.
        max_pending: while so many jobs are scheduled, adding one raises TooManyPending; None for no bound but the disk.
            Each process that shares the file has its own. What is tried again or comes next is not refused.
        failed_ttl: how long failed and expired jobs are kept, in seconds or as a timedelta, unless their result_ttl is
            longer.
        allow_network_fs: keep the store on a network file system although its locks cannot be trusted.
        allow_shared_directory: keep it in a directory that anybody may write.
        clock: where the time for dropping old results comes from.
        system: the system calls; for tests.

    Raises:
        StoreUnsafe: the place is refused.
        StoreFormatError: the file is not a store, or was written by a newer Hourwheel.
        StoreCorrupt: it is damaged; nothing was changed.

    >>> store = JsonStore("tasks.json", durability="os")
    >>> store.add([Job(id="a", task="app.remind", due_ms=1000)], 0)
    ['a']
    >>> store.close()
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        durability: Durability = "sync",
        lock_timeout_s: float = 10.0,
        max_pending: int | None = None,
        failed_ttl: float | timedelta = FAILED_TTL_S,
        allow_network_fs: bool = False,
        allow_shared_directory: bool = False,
        clock: Clock | None = None,
        system: System = SYSTEM,
    ) -> None:
        if durability not in ("sync", "interval", "os"):
            raise InvalidValue.of("durability", '"sync", "interval" or "os"', durability)
        if not isinstance(lock_timeout_s, (int, float)) or not lock_timeout_s >= 0:
            raise InvalidValue.of("lock_timeout_s", "0 or more seconds", lock_timeout_s)
        self.max_pending = checked_max_pending(max_pending)
        self.failed_ttl_ms = checked_failed_ttl_ms(failed_ttl)
        place = place_at(path)
        refuse_unsafe(place, system, allow_network_fs=allow_network_fs, allow_shared_directory=allow_shared_directory)
        newest = Newest(
            place, system, clock or SystemClock(), lock_timeout_s=lock_timeout_s, failed_ttl_ms=self.failed_ttl_ms
        )
        self.path = newest.place.path
        self.durability = durability
        self._keeper = Keeper(newest, durability=durability)

    def __repr__(self) -> str:
        return f"JsonStore({self.path!r}, durability={self.durability!r})"

    def close(self) -> None:
        """Sync what is not synced, and close. Twice is fine."""
        self._keeper.close()

    def compact(self) -> None:
        """Begin a new epoch now; other callers need not wait for it.

        Raises:
            StoreBusy: another process or thread has been at it for lock_timeout_s.
            StoreError: it could not be written; the store goes on in the old epoch.
        """
        self._keeper.compact()

    # ---- the verbs' ground -------------------------------------------------------------------------------

    def add(
        self, jobs: Sequence[Job], now_ms: int, *, on_conflict: OnConflict = "keep", fresh: bool = False
    ) -> list[str]:
        """See Store.add. One fresh job, which is what delay() brings, takes the short way."""
        if not fresh or len(jobs) != 1 or self.max_pending is not None:
            return super().add(jobs, now_ms, on_conflict=on_conflict, fresh=fresh)
        job = jobs[0]
        self._keeper.add((job, encode_job(job).encode("ascii")))
        return [job.id]

    def _changing(self, change: Callable[[State], R]) -> R:
        return self._keeper.writing(change)

    def _reading(self, look: Callable[[State], R], *, one: bool = False) -> R:
        return self._keeper.reading(look, one=one)

    def _commit(self, new: Sequence[Job], records: Sequence[Record]) -> None:
        self._keeper.commit(new, records)

    # ---- owners ------------------------------------------------------------------------------------------

    def _watch(self, owner: str, now_ms: int) -> None:
        super()._watch(owner, now_ms)
        newest = self._keeper.newest
        newest.signs.show(newest.place.owner(owner))

    def begin(self, owner: str, token: int) -> None:
        """See Beginning.begin."""
        self._keeper.begun(owner, token)

    def _rescues(self, state: State, owner: str, now_ms: int) -> list[Record]:
        records = super()._rescues(state, owner, now_ms)
        lapsed = {id for record in records if isinstance(record, Rescued) for id in record.ids}
        newest = self._keeper.newest
        for name in set(state.running.values()) - {owner}:
            sign = newest.place.owner(name)
            if newest.signs.died(sign, now_ms):
                ids = [id for id, holder in state.running.items() if holder == name and id not in lapsed]
                records += rescued(state, ids, read_mark(newest.system, sign), f"its worker {name} died", now_ms)
                newest.signs.bury(sign)
        return records

    # ---- waking ------------------------------------------------------------------------------------------

    def wait(self, timeout_s: float) -> bool:
        """See Wakeup.wait. Other processes wake it by writing; see system/watch.py."""
        return self._keeper.wait(timeout_s)

    def notify(self) -> None:
        """See Wakeup.notify."""
        self._keeper.watch.ring()
