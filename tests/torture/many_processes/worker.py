"""One of the processes: opens the file for itself, claims, runs and settles, adds and cancels, until all is done."""

from __future__ import annotations

import mmap
import os
import random
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from struct import Struct
from typing import Any, Final, TypeVar

from hourwheel.clock import SystemClock
from hourwheel.contract import Found
from hourwheel.errors import StoreBusy
from hourwheel.job import Claim, Failed, Failure, Job, Outcome, Released, Retried, Snoozed, Succeeded
from hourwheel.store import JsonStore
from hourwheel.turn import effects

from tests.kit.systems import Watched

from .witness import Ending, Kind, Witness

T = TypeVar("T")

DIES, STOPS, FORKS = 1, 2, 3
"""What a process can be told to do to itself, in the middle of whatever it does; see Orders."""
CALLS: Final = ("", "open", "flock", "pread", "pwrite", "fdatasync", "replace", "unlink")
"""Before which system call; the first stands for any."""
_COUNT: Final = Struct("<Q")
_PER_PROCESS: Final = 1_000_000
_KEPT_MS: Final = 10**11
_FORK_S: Final = 0.03
"""How long a process rests when it has forked: so that others get to work, should the child have freed the lock."""


class Orders:
    """Memory that the herd shares: what each place in it is told to do next, how many claims it has made, and the end.

    Args:
        places: processes at the same time.
    """

    def __init__(self, places: int) -> None:
        self._memory = mmap.mmap(-1, 16 * (places + 1))
        self._places = places

    def give(self, place: int, what: int, call: str, times: int) -> None:
        """Have the process at a place do ``what`` to itself before its ``times``-th ``call`` from now, 1 to 255."""
        at = 16 * (place + 1) + 8
        self._memory[at] = 0
        self._memory[at + 1] = times
        self._memory[at + 2] = CALLS.index(call)
        self._memory[at] = what

    def next(self, place: int, call: str) -> int:
        """Called before each system call: what to do now, mostly 0."""
        at = 16 * (place + 1) + 8
        what = self._memory[at]
        if not what or CALLS[self._memory[at + 2]] not in ("", call):
            return 0
        self._memory[at + 1] -= 1
        if self._memory[at + 1]:
            return 0
        self._memory[at] = 0
        return what

    def forget(self, place: int) -> None:
        """For the next process at a place."""
        self._memory[16 * (place + 1) + 8] = 0

    def count(self, place: int, claims: int) -> None:
        """Add to the claims of a place."""
        at = 16 * (place + 1)
        _COUNT.pack_into(self._memory, at, _COUNT.unpack_from(self._memory, at)[0] + claims)

    def claims(self) -> int:
        """All claims so far."""
        return sum(_COUNT.unpack_from(self._memory, 16 * (place + 1))[0] for place in range(self._places))

    def drain(self) -> None:
        """From now on nothing is added, and what runs ends for good."""
        self._memory[0] = 1

    @property
    def draining(self) -> bool:
        """Whether drain() was called."""
        return bool(self._memory[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a process works, and with what.

    Args:
        path: of the store.
        preloaded: jobs 0 to this number were added before.
        durability: of this process.
        seed: of its choices.
        place: in the shared memory.
        timeout_s: how long its verbs wait for the lock.
        reopens: in so many of its rounds it closes the store and opens it anew.
    """

    path: str
    preloaded: int
    durability: str
    seed: str
    place: int
    timeout_s: float
    reopens: float


def name_of(number: int) -> str:
    """The id of a job."""
    return f"job-{number}"


def number_of(job: Job) -> int:
    """The reverse of name_of."""
    return int(job.id[4:])


def a_job(number: int, due_ms: int, now_ms: int) -> Job:
    """A job of the campaign. One in 50 is at most once; the others bear any number of deaths."""
    crashes = 1 if number % 50 == 7 else 1_000
    return Job(
        id=name_of(number),
        task="work",
        payload=f"[[{number}],{{}}]",
        due_ms=due_ms,
        created_ms=now_ms,
        max_crashes=crashes,
        result_ttl_ms=_KEPT_MS,
    )


class Worker:
    """What a process does from its first instruction to its last.

    Args:
        given: where, and with what.
        witness: told of everything.
        orders: what to do to itself.
    """

    def __init__(self, given: Place, witness: Witness, orders: Orders) -> None:
        self._given = given
        self._witness = witness
        self._orders = orders
        self._choose = random.Random(given.seed)
        self._clock = SystemClock()
        self._opened = 0
        self._added = 0
        self._store = self._open()

    def work(self) -> None:
        """Go on until nothing is left to do."""
        while True:
            claims = self._claim()
            self._run(claims)
            if not claims and self._orders.draining and not self._anything_left():
                break
            if len(claims) < 4:
                self._when_idle()
            self._now_and_then()
        self._store.close()

    # ---- the store ---------------------------------------------------------------------------------------

    def _open(self) -> JsonStore:
        self._opened += 1
        given = self._given
        return self._patiently(
            lambda: JsonStore(
                given.path,
                durability=given.durability,  # type: ignore[arg-type]
                lock_timeout_s=given.timeout_s,
                system=Watched(self._before_call),
            )
        )

    def _before_call(self, name: str, args: tuple[Any, ...]) -> None:
        match self._orders.next(self._given.place, name):
            case 0:
                return
            case what if what == FORKS:
                if (pid := os.fork()) == 0:
                    os._exit(0)
                os.waitpid(pid, 0)
                time.sleep(_FORK_S)
            case what if what == STOPS:
                self._witness.tell(Kind.STOP)
                os.kill(os.getpid(), signal.SIGSTOP)
            case _:
                if name == "pwrite":
                    fd, data, offset = args
                    os.pwrite(fd, data[: self._choose.randrange(len(data))], offset)
                self._witness.tell(Kind.KILL)
                os.kill(os.getpid(), signal.SIGKILL)

    def _patiently(self, verb: Callable[[], T], *, timed: bool = True) -> T:
        """Until the store is not busy: nothing has been done when it is."""
        while True:
            began = time.monotonic()
            try:
                return verb()
            except StoreBusy:
                waited_ms = int((time.monotonic() - began) * 1000)
                timeout = round(self._given.timeout_s * 100) if timed else 0
                self._witness.tell(Kind.BUSY, detail=timeout, ms=waited_ms)

    # ---- claiming, running, settling ---------------------------------------------------------------------

    def _claim(self) -> list[Claim]:
        owner = f"p{self._witness.who}-{self._opened}"
        limit = self._choose.choice([1, 4, 8, 16, 32])
        claims = self._patiently(lambda: self._store.claim(owner, self._clock.now_ms(), limit))
        self._orders.count(self._given.place, len(claims))
        return claims

    def _run(self, claims: Sequence[Claim]) -> None:
        for claim in claims:
            job = claim.job
            self._witness.tell(
                Kind.START,
                number_of(job),
                token=claim.token,
                attempt=job.attempt,
                crashes=job.crashes,
                ms=self._clock.now_ms(),
            )
        if claims and self._choose.random() < 0.03:
            time.sleep(self._choose.uniform(0.0, 0.01))
        share = self._choose.choice([1, 8, 32, 32])
        for first in range(0, len(claims), share):
            self._settle(claims[first : first + share])

    def _settle(self, claims: Sequence[Claim]) -> None:
        settlements = [(claim, *self._outcome()) for claim in claims]
        told = [
            (number_of(claim.job), {"token": claim.token, "detail": ending, "ms": getattr(outcome, "due_ms", 0)})
            for claim, ending, outcome in settlements
        ]
        self._witness.tell_all([self._witness.packed(Kind.WILL_SETTLE, job, **fields) for job, fields in told])
        items = [(claim, outcome) for claim, _, outcome in settlements]
        lost = {
            claim.token for claim in self._patiently(lambda: self._store.settle(effects(items), self._clock.now_ms()))
        }
        self._witness.tell_all(
            [
                self._witness.packed(Kind.LOST if fields["token"] in lost else Kind.SETTLED, job, **fields)
                for job, fields in told
            ]
        )

    def _outcome(self) -> tuple[Ending, Outcome]:
        chance = self._choose.random()
        if chance < 0.48 or self._orders.draining:
            return Ending.SUCCEEDED, Succeeded()
        if chance < 0.55:
            return Ending.FAILED, Failed(error=Failure("ValueError", "no"))
        due_ms = self._clock.now_ms() + self._choose.choice([0, 5, 50, 1_100])
        if chance < 0.72:
            return Ending.RETRIED, Retried(due_ms=due_ms, error=Failure("OSError", "again"))
        if chance < 0.87:
            return Ending.SNOOZED, Snoozed(due_ms=due_ms)
        return Ending.RELEASED, Released()

    # ---- everything else ---------------------------------------------------------------------------------

    def _anything_left(self) -> bool:
        stats = self._patiently(lambda: self._store.stats(self._clock.now_ms()))
        return stats.scheduled + stats.running > 0

    def _when_idle(self) -> None:
        if self._orders.draining:
            time.sleep(self._choose.uniform(0.001, 0.02))
        else:
            self._add(self._choose.choice([1, 10, 60]))

    def _add(self, count: int) -> None:
        now_ms = self._clock.now_ms()
        first = self._witness.who * _PER_PROCESS + self._added
        self._added += count
        jobs = [a_job(first + n, now_ms + self._choose.choice([-10, 0, 20, 300]), now_ms) for n in range(count)]
        self._witness.tell_all([self._witness.packed(Kind.WILL_ADD, number_of(job), ms=job.due_ms) for job in jobs])
        fresh = self._choose.random() < 0.5
        self._patiently(lambda: self._store.add(jobs, 0, fresh=fresh))
        self._witness.tell_all([self._witness.packed(Kind.ADDED, number_of(job)) for job in jobs])

    def _now_and_then(self) -> None:
        chance = self._choose.random()
        if chance < 0.03:
            self._cancel(self._some_job())
        elif chance < 0.05:
            self._move(self._some_job())
        elif chance < 0.053:
            self._patiently(self._store.compact, timed=False)
            self._witness.tell(Kind.COMPACTED)
        elif chance < 0.08:
            self._patiently(lambda: self._store.get([name_of(self._some_job())])[0])
        elif chance < 0.08 + self._given.reopens:
            self._store.close()
            self._store = self._open()

    def _some_job(self) -> int:
        """The number of one of the jobs that may be there: of the first ones, or the newest of our own."""
        if self._added and self._choose.random() < 0.7:
            return self._witness.who * _PER_PROCESS + self._choose.randrange(max(0, self._added - 60), self._added)
        return self._choose.randrange(self._given.preloaded)

    def _cancel(self, number: int) -> None:
        self._witness.tell(Kind.WILL_CANCEL, number)
        found = self._patiently(lambda: self._store.cancel([name_of(number)], self._clock.now_ms()))
        if found == [Found.SCHEDULED]:
            self._witness.tell(Kind.CANCELLED, number)

    def _move(self, number: int) -> None:
        now_ms = self._clock.now_ms()
        due_ms = now_ms + self._choose.choice([-1_000, 10, 400])
        self._witness.tell(Kind.WILL_MOVE, number, ms=due_ms)
        self._patiently(lambda: self._store.reschedule([name_of(number)], due_ms, now_ms)[0])
