"""Schedules of a scheduler: who has them, and what becomes of their fires.

In the store a schedule is one pending job, its next fire, which holds the key ``schedule:<name>``. Whoever claims it
says in one step of the store that it is followed and by which fire (the outcome Followed), before he runs it: so each
fire is issued once, whatever the number of processes and whatever becomes of them, and none is forgotten in between.
The id of a fire is ``<name>@<instant>``. Nobody is elected, and nothing is in the memory of a process alone.

What is pending stays as it is until a process starts whose code says something else; then it is moved.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from .clock import as_datetime
from .contract import Filter, Store
from .errors import InvalidValue, StoreError, TooManyPending
from .events import Events
from .job import DEFAULT_RESULT_TTL_MS, FINISHED, Claim, Fire, Followed, Job, Outcome, Released, Skipped, State
from .options import Plan
from .periodic import Schedule
from .routes import Routes

LOG: Final = logging.getLogger("hourwheel.schedules")
MISFIRES: Final = ("coalesce", "skip", "each")
_UNFINISHED: Final = frozenset(State) - FINISHED
_LOOK_MS: Final = 30_000
"""So often it is made sure that each schedule has a pending fire: somebody may have cancelled it."""
_MISSED_MOST: Final = 1_000
"""Missed fires are counted up to here."""


class Defaults(Protocol):
    """What a scheduler says of jobs that do not say it themselves."""

    @property
    def result_ttl_ms(self) -> int:
        """How long a finished one is kept, in milliseconds."""

    @property
    def routes(self) -> Routes | None:
        """Where those go that say no queue."""


@dataclass(frozen=True, slots=True)
class NoDefaults:
    """Where no scheduler says anything."""

    result_ttl_ms: int = DEFAULT_RESULT_TTL_MS
    routes: Routes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A schedule, and the call that it makes."""

    name: str
    schedule: Schedule
    task: str
    payload: str
    plan: Plan
    misfire: str
    """What becomes of fires that nobody could run in time: "coalesce" them into one run, "skip" them, run "each"."""
    grace_ms: int
    """With "skip": how late one may still be run."""

    @property
    def key(self) -> str:
        """The key of its pending fire."""
        return f"schedule:{self.name}"

    def job(self, now_ns: int, carrier: Defaults) -> Job:
        """The call, due at once."""
        plan = self.plan if carrier.routes is None else carrier.routes.place(self.task, self.plan)
        return plan.job(self.task, self.payload, now_ns, carrier.result_ttl_ms)

    def fire(self, at_ms: int, now_ms: int, carrier: Defaults) -> Job:
        """The job of the fire at an instant."""
        job = self.job(now_ms * 1_000_000, carrier)
        return job._replace(
            id=f"{self.name}@{_moment(at_ms)}",
            key=self.key,
            due_ms=at_ms,
            expires_ms=None,
            grace_ms=None,
            latest_ms=None,
            fire=Fire(self.name, at_ms, self.schedule.spec),
        )


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of a fire that was claimed."""

    next_ms: int | None
    missed: int = 0
    skip: str | None = None
    """Why it is not run."""


def decide(entry: Entry, at_ms: int, now_ms: int) -> Decision:
    """What becomes of the fire of ``at_ms`` that is claimed at ``now_ms``. Pure."""
    after = entry.schedule.after
    if entry.misfire == "each":
        return Decision(after(at_ms))
    missed, next_ms = 0, after(at_ms)
    while next_ms is not None and next_ms <= now_ms and missed < _MISSED_MOST:
        missed, next_ms = missed + 1, after(next_ms)
    if next_ms is not None and next_ms <= now_ms:
        next_ms = after(now_ms)
    if entry.misfire == "skip" and now_ms - at_ms > entry.grace_ms:
        more = f", and so were {missed} more" if missed else ""
        reason = f"skipped: it was {(now_ms - at_ms) / 1000:g} s late, more than {entry.grace_ms / 1000:g} s{more}"
        return Decision(next_ms, missed, reason)
    return Decision(next_ms, missed)


class Schedules:
    """The schedules that this process knows."""

    def __init__(self, carrier: Defaults | None = None) -> None:
        """None yet; ``carrier`` says what holds for their jobs where the schedules say nothing."""
        self.entries: Final[dict[str, Entry]] = {}
        self._carrier = carrier or NoDefaults()
        self.tends = True
        """Whether this process sees to it that each schedule has its next fire; ``hourwheel worker --no-beat`` does
        not. Fires that it takes are followed by the next all the same."""
        self._unknown: set[str] = set()
        self._refused = False
        """Whether it was said that there is no room."""
        self.begin()

    def begin(self) -> None:
        """A process begins, or a schedule has changed: look at the store at the next tick."""
        self._look_at_ms = 0
        self._moves = True

    def add(self, entry: Entry) -> None:
        """Take a schedule in; one of the same name takes the place of the one before.

        Raises:
            InvalidValue: a schedule of that name makes another call.
        """
        other = self.entries.get(entry.name)
        if other is not None and (other.task, other.payload) != (entry.task, entry.payload):
            raise InvalidValue.of(
                "name", f"unique: a schedule of {other.task} has it, so give another name=", entry.name
            )
        self.entries[entry.name] = entry
        self.begin()

    # ---- what is pending ---------------------------------------------------------------------------------

    def look_after(self, store: Store, now_ms: int) -> None:
        """See to it that each schedule has its next fire in the store; moves what was planned by other code, once.

        Called at each tick; looks at the store now and then only. A schedule for which there is no room (max_pending)
        begins at a later tick: what is due must be claimed meanwhile, or there would never be any.

        Raises:
            StoreError: the store failed; the next call tries again.
        """
        if not self.tends or not self.entries or (now_ms < self._look_at_ms and self._look_at_ms - now_ms <= _LOOK_MS):
            return
        missing, moved = [], []
        for entry in list(self.entries.values()):
            held = self.pending(store, entry)
            if held is None:
                missing.append(self._next(store, entry, now_ms))
            elif self._moves and held.state is State.SCHEDULED and held.fire and held.fire.spec != entry.schedule.spec:
                moved.append(self._next(store, entry, now_ms))
        try:
            store.add([job for job in moved if job is not None], on_conflict="replace")
            self._begin_all(store, [job for job in missing if job is not None])
        except TooManyPending as error:
            if not self._refused:
                LOG.warning("Not all of %d new schedules can begin yet: %s", len(missing) + len(moved), error)
            self._refused = True
            return
        self._moves = self._refused = False
        self._look_at_ms = now_ms + _LOOK_MS

    def _begin_all(self, store: Store, jobs: Sequence[Job]) -> None:
        try:
            store.add(jobs)
        except TooManyPending:
            for job in jobs if len(jobs) > 1 else ():
                store.add([job])
            raise

    def spare_look(self, now_ms: int) -> None:
        """It is known that each schedule still has its pending fire: wait for the next look as if one had been made."""
        if self._look_at_ms:
            self._look_at_ms = now_ms + _LOOK_MS

    def pending(self, store: Store, entry: Entry) -> Job | None:
        """The fire that holds the schedule's place in the store."""
        return next(iter(store.scan(Filter(key=entry.key, states=_UNFINISHED), 1)), None)

    def _next(self, store: Store, entry: Entry, now_ms: int) -> Job | None:
        """The first fire to come that has not been issued before."""
        at_ms = entry.schedule.after(now_ms)
        while at_ms is not None:
            job = entry.fire(at_ms, now_ms, self._carrier)
            if store.get(job.id) is None:
                return job
            at_ms = entry.schedule.after(at_ms)
        return None

    def unknown(self) -> list[str]:
        """What to claim without, as this process could not say what comes next; see Store.claim."""
        unknown = list(self._unknown) if self._unknown else ()
        return [f"schedule:{name}" for name in unknown if name not in self.entries]

    # ---- what was claimed --------------------------------------------------------------------------------

    def follow(
        self, claims: Sequence[Claim], store: Store, now_ms: int, on: Events
    ) -> tuple[Sequence[Claim], list[tuple[Claim, Outcome]]]:
        """Add the next fires of those that were claimed; (claims to be run, claims that end without)."""
        fires = [claim for claim in claims if claim.job.fire is not None and not claim.job.fire.followed]
        if not fires:
            return claims, []
        ended: dict[int, Outcome] = {}
        following: list[tuple[Claim, Outcome]] = []
        changed: dict[int, Claim] = {}
        for claim in fires:
            self._take(claim, now_ms, ended, following, changed)
        lost: set[int] = set()
        try:
            if following:
                lost = {claim.token for claim in store.settle(following, now_ms)}
        except StoreError as error:
            LOG.warning("%d fires are given back, as the next ones could not be added: %s", len(following), error)
            ended |= {claim.token: Released(reason="the next fire could not be added") for claim, _ in following}
        for claim in fires:
            if isinstance(outcome := ended.get(claim.token), Skipped):
                LOG.warning("Fire %s is %s", claim.job.id, outcome.reason)
                on.skipped.tell(claim.job._replace(reason=outcome.reason))
        run = [
            changed.get(claim.token, claim) for claim in claims if claim.token not in ended and claim.token not in lost
        ]
        return run, [(claim, ended[claim.token]) for claim in fires if claim.token in ended]

    def _take(
        self,
        claim: Claim,
        now_ms: int,
        ended: dict[int, Outcome],
        following: list[tuple[Claim, Outcome]],
        changed: dict[int, Claim],
    ) -> None:
        job = claim.job
        assert job.fire is not None
        entry = self.entries.get(job.fire.schedule)
        if entry is None:
            ended[claim.token] = self._give_back(job)
            return
        decision = decide(entry, job.fire.at_ms, now_ms)
        if decision.next_ms is not None:
            next_fire = entry.fire(decision.next_ms, now_ms, self._carrier)
            following.append((claim, Followed(job=next_fire, missed=decision.missed)))
        if decision.skip is not None:
            ended[claim.token] = Skipped(reason=decision.skip)
            return
        if decision.missed:
            LOG.warning("Fire %s is run late, and stands for %d later ones that were missed", job.id, decision.missed)
        if (job.task, job.payload) != (entry.task, entry.payload):
            changed[claim.token] = claim._replace(job=job._replace(task=entry.task, payload=entry.payload))

    def _give_back(self, job: Job) -> Released:
        assert job.fire is not None
        name = job.fire.schedule
        if name not in self._unknown:
            self._unknown.add(name)
            LOG.warning(
                "There is no schedule named %s here; its next fire stays pending for a process that has it. "
                "If it is gone for good: hourwheel cancel %s", name, job.id,
            )  # fmt: skip
        return Released(reason=f"no schedule named {name!r} in the process that took it")


def upcoming(entry: Entry, from_ms: int, until_ms: int) -> Iterator[int]:
    """The instants at which a schedule fires after ``from_ms`` and up to ``until_ms``."""
    at_ms = entry.schedule.after(from_ms)
    while at_ms is not None and at_ms <= until_ms:
        yield at_ms
        at_ms = entry.schedule.after(at_ms)


def _moment(at_ms: int) -> str:
    moment = as_datetime(at_ms)
    return moment.strftime("%Y-%m-%dT%H:%M:%S") + (f".{at_ms % 1000:03}" if at_ms % 1000 else "") + "Z"
