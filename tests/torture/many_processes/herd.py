"""The herd: keeps so many processes at work on one file, kills and stops them at random, and brings all to an end."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from hourwheel.clock import SystemClock
from hourwheel.store import JsonStore

from ..pace import patient
from ..processes import forked
from .witness import Kind, Witness
from .worker import CALLS, DIES, FORKS, STOPS, Orders, Place, Worker, a_job, name_of

_STEP_S: Final = 0.003
_SAMPLE_S: Final = 0.25
_STUCK_S: Final = 15.0
_STOPS_S: Final = (0.02, 0.1, 0.1, 0.3, 0.3, 0.6, 3.0)
_STOPS_WITH_LOCK_S: Final = (0.01, 0.02, 0.05, 0.05, 0.1, 0.1, 0.2, 0.2, 1.5)
"""Shorter, because nobody gets anything done meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One round.

    Args:
        processes: at the same time.
        claims: after so many nothing is added any more.
        durabilities: each process draws one of these.
        seed: of all choices.
        kills_per_s: on the average; half of them are told to kill themselves before a system call or in a write.
        stops_per_s: on the average; half of them are told to stop themselves before a system call.
        forks_per_s: on the average; they are told to fork before a system call.
        timeouts_s: each process draws one of these; how long its verbs wait for the lock.
        reopens: how often, as a share of its rounds, a process closes the store and opens it anew.
        reads_ahead: what is longer than so many bytes is read without the lock; None for as it is.
        stuck_s: without a claim for so long, not counting while somebody is stopped with the lock in hand, it is given up.
    """

    processes: int
    claims: int
    durabilities: tuple[str, ...]
    seed: str
    kills_per_s: float = 2.0
    stops_per_s: float = 1.6
    forks_per_s: float = 0.4
    timeouts_s: tuple[float, ...] = (0.3, 1.0, 10.0)
    reopens: float = 0.005
    stuck_s: float = _STUCK_S
    reads_ahead: int | None = None


@dataclass(slots=True)
class Member:
    """A process of the herd."""

    pid: int
    number: int
    place: int
    stopped_at: float | None = None
    goes_on_at: float = 0.0
    holds_lock: bool = False


class Share(NamedTuple):
    """A piece of the round: from when to when (ns), and what the machine gave to its processes, from 0 to 1."""

    begin: int
    end: int
    given: float


@dataclass(slots=True)
class Course:
    """What happened, apart from what the witness was told."""

    wrong: list[str] = field(default_factory=list)
    stopped: dict[int, list[tuple[int, int]]] = field(default_factory=dict)
    """By the number of a process: when it was stopped, and when it went on, ns."""
    locked: list[tuple[int, int]] = field(default_factory=list)
    """When somebody was stopped with the writers' lock in his hand, and went on, ns."""
    shares: list[Share] = field(default_factory=list)
    """How much of the time in which the processes could have run they did run, piece by piece of the round."""
    deaths: int = 0
    claims: int = 0


class _Sample(NamedTuple):
    at_ns: int
    times: dict[int, tuple[int, int]]


class Herd:
    """One round on one file.

    Args:
        plan: of the round.
        directory: for the store and the witness.
        sow: called when the store is there, and before the first process is.
    """

    def __init__(self, plan: Plan, directory: str, sow: Callable[[], None] = lambda: None) -> None:
        self.plan = plan
        self.path = os.path.join(directory, "tasks.json")
        self.witness_path = os.path.join(directory, "witness")
        self.course = Course()
        self._sow = sow
        self._fd = os.open(self.witness_path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._witness = Witness(self._fd, 0)
        self._choose = random.Random(plan.seed)
        self._orders = Orders(plan.processes)
        self._members: dict[int, Member] = {}
        self._begun = 0
        self._preloaded = max(200, plan.claims // 4)
        self._lock_inode = 0
        self._sampled = _Sample(0, {})

    def run(self) -> Course:
        """Work until everything has ended, or something is wrong."""
        self._preload()
        self._lock_inode = os.stat(self.path + ".lock").st_ino
        self._sow()
        try:
            for place in range(self.plan.processes):
                self._begin(place)
            self._drive()
        finally:
            for member in list(self._members.values()):
                os.kill(member.pid, signal.SIGKILL)
                os.waitpid(member.pid, 0)
            os.close(self._fd)
        self.course.claims = self._orders.claims()
        return self.course

    def _preload(self) -> None:
        now_ms = SystemClock().now_ms()
        store = JsonStore(self.path, durability="os")
        jobs = [a_job(n, now_ms + self._choose.choice([0, 0, 500, 2_000]), now_ms) for n in range(self._preloaded)]
        self._witness.tell_all([self._witness.packed(Kind.WILL_ADD, n, ms=job.due_ms) for n, job in enumerate(jobs)])
        store.add(jobs, 0, fresh=True)
        assert store.get([name_of(0)])[0] is not None
        self._witness.tell_all([self._witness.packed(Kind.ADDED, n) for n in range(self._preloaded)])
        store.close()

    # ---- the processes -----------------------------------------------------------------------------------

    def _begin(self, place: int) -> None:
        self._begun += 1
        number = self._begun
        self._orders.forget(place)
        if self._begun > self.plan.processes and self._choose.random() < 0.5:
            self._order(
                place, self._choose.choice([DIES, STOPS, STOPS, FORKS]), 15
            )  # while it opens the store, perhaps
        given = Place(
            path=self.path,
            preloaded=self._preloaded,
            durability=self._choose.choice(self.plan.durabilities),
            seed=f"{self.plan.seed} {number}",
            place=place,
            timeout_s=self._choose.choice(self.plan.timeouts_s),
            reopens=self.plan.reopens,
        )
        pid = forked(lambda: Worker(given, Witness(self._fd, number), self._orders).work())
        self._members[place] = Member(pid, number, place)

    def _drive(self) -> None:
        still_s, claims, looked_at, next_sample = 0.0, 0, time.monotonic(), 0.0
        next_kill, next_stop = self._soon(self.plan.kills_per_s), self._soon(self.plan.stops_per_s)
        next_fork = self._soon(self.plan.forks_per_s)
        while self._members and not self.course.wrong:
            now = self._sleep()
            if now >= next_kill:
                self._kill_one()
                next_kill = self._soon(self.plan.kills_per_s)
            if now >= next_stop:
                self._stop_one()
                next_stop = self._soon(self.plan.stops_per_s)
            if now >= next_fork:
                self._order(self._choose.choice(list(self._members)), FORKS)
                next_fork = self._soon(self.plan.forks_per_s)
            if now >= next_sample:
                self._sample()
                next_sample = now + _SAMPLE_S
            self._look(now)
            if not any(member.holds_lock for member in self._members.values()):
                still_s += now - looked_at
            looked_at = now
            if (count := self._orders.claims()) != claims:
                still_s, claims = 0.0, count
            if count >= self.plan.claims:
                self._orders.drain()
            if still_s > patient(self.plan.stuck_s):
                self.course.wrong.append(
                    f"nothing was claimed for {patient(self.plan.stuck_s):.0f} s, and jobs are left"
                )

    def _sleep(self) -> float:
        time.sleep(_STEP_S)
        return time.monotonic()

    def _sample(self) -> None:
        """Ask the kernel how long each process has run, and how long it was ready to and had to wait for a core."""
        before, at = self._sampled, time.monotonic_ns()
        found = {member.pid: run_and_wait(member.pid) for member in self._members.values()}
        times = {pid: both for pid, both in found.items() if both is not None}
        ran, waited = (sum(times[pid][n] - before.times[pid][n] for pid in times.keys() & before.times) for n in (0, 1))
        if before.at_ns and ran + waited:
            self.course.shares.append(Share(before.at_ns, at, ran / (ran + waited)))
        self._sampled = _Sample(at, times)

    def _soon(self, per_s: float) -> float:
        return time.monotonic() + (self._choose.expovariate(per_s) if per_s else 1e9)

    def _look(self, now: float) -> None:
        """Notice who has ended or was stopped; replace him, or let him go on."""
        for member in list(self._members.values()):
            pid, status = os.waitpid(member.pid, os.WNOHANG | os.WUNTRACED)
            if pid and os.WIFSTOPPED(status):
                self._stopped(member, now)
            elif pid:
                self._note_end(member, os.waitstatus_to_exitcode(status))
            elif member.stopped_at is not None and now >= member.goes_on_at:
                self._let_go_on(member)

    def _stopped(self, member: Member, now: float) -> None:
        if member.stopped_at is None:
            self._note_stop(member, now)
        member.holds_lock = holds_lock(member.pid, self._lock_inode)
        if member.holds_lock:
            member.goes_on_at = now + self._some_time(_STOPS_WITH_LOCK_S)

    def _note_end(self, member: Member, status: int) -> None:
        self._note_going_on(member)
        del self._members[member.place]
        if status == -signal.SIGKILL:
            self.course.deaths += 1
            self._begin(member.place)
        elif status != 0:
            self.course.wrong.append(f"a process ended with status {status}")

    # ---- what is done to them ----------------------------------------------------------------------------

    def _kill_one(self) -> None:
        member = self._choose.choice(list(self._members.values()))
        if self._choose.random() < 0.5:
            self._order(member.place, DIES)
            return
        self._witness.tell(Kind.KILL, who=member.number)
        os.kill(member.pid, signal.SIGKILL)

    def _order(self, place: int, what: int, most: int = 60) -> None:
        call = self._choose.choice(CALLS) if self._choose.random() < 0.5 else ""
        self._orders.give(place, what, call, self._choose.randint(1, most))

    def _stop_one(self) -> None:
        awake = [member for member in self._members.values() if member.stopped_at is None]
        if len(awake) <= len(self._members) // 2:
            return
        member = self._choose.choice(awake)
        if self._choose.random() < 0.5:
            self._order(member.place, STOPS)
        else:
            self._note_stop(member, time.monotonic())
            os.kill(member.pid, signal.SIGSTOP)

    def _note_stop(self, member: Member, now: float) -> None:
        member.stopped_at = now
        member.goes_on_at = now + self._some_time(_STOPS_S)
        self._witness.tell(Kind.STOP, who=member.number)

    def _some_time(self, spans: tuple[float, ...]) -> float:
        return self._choose.choice(spans) * self._choose.uniform(0.5, 1.5)

    def _let_go_on(self, member: Member) -> None:
        self._note_going_on(member)
        self._witness.tell(Kind.CONTINUE, who=member.number)
        os.kill(member.pid, signal.SIGCONT)

    def _note_going_on(self, member: Member) -> None:
        if member.stopped_at is None:
            return
        span = (int(member.stopped_at * 1e9), time.monotonic_ns())
        self.course.stopped.setdefault(member.number, []).append(span)
        if member.holds_lock:
            self.course.locked.append(span)
        member.stopped_at, member.holds_lock = None, False


def run_and_wait(pid: int) -> tuple[int, int] | None:
    """How long a process has run, and was ready to and had to wait, in ns, as the kernel tells; None if it is gone."""
    try:
        with open(f"/proc/{pid}/schedstat") as file:
            ran, waited, _ = file.read().split()
    except (OSError, ValueError):
        return None
    return int(ran), int(waited)


def holds_lock(pid: int, inode: int) -> bool:
    """Whether a process has the lock on a file, as the kernel tells."""
    with open("/proc/locks") as file:
        return any(
            words[1] == "FLOCK" and words[4] == str(pid) and words[5].endswith(f":{inode}")
            for words in map(str.split, file)
        )
