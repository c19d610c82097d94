"""Schedules of a scheduler: who has them, and what becomes of their fires.

In the store a schedule is one pending job, its next fire, which holds the key ``schedule:<name>``. Whoever claims it
says in one step of the store that it is followed and by which fire (the outcome Followed), before he runs it: so each
fire is issued once, whatever the number of processes and whatever becomes of them, and none is forgotten in between.
The id of a fire is ``<name>@<instant>``. Nobody is elected, and nothing is in the memory of a process alone.

What is pending stays as it is until a process starts whose code says something else; then it is moved.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import tzinfo
from typing import TYPE_CHECKING, Any, Final, Protocol

from .calm import CalmLogger
from .clock import as_datetime
from .contract import Filter, Store
from .errors import InvalidValue, TooManyPending
from .events import Events
from .following import add_next, hold
from .job import DEFAULT_RESULT_TTL_MS, FINISHED, Claim, Fire, Followed, Job, Outcome, Released, Skipped, State
from .misfires import Policy, decide, in_words
from .options import SCHEDULE_KEY, Plan
from .periodic import Schedule
from .registry import Registry
from .routes import Routes

if TYPE_CHECKING:
    from .task import Task

LOG: Final = CalmLogger("hourwheel.schedules")
_UNFINISHED: Final = frozenset(State) - FINISHED
_LOOK_MS: Final = 30_000
"""So often it is made sure that each schedule has a pending fire: somebody may have cancelled it."""


class Defaults(Protocol):
    """What a scheduler says of jobs that do not say it themselves."""

    @property
    def result_ttl_ms(self) -> int:
        """How long a finished one is kept, in milliseconds."""

    @property
    def routes(self) -> Routes | None:
        """Where those go that say no queue."""

    @property
    def registry(self) -> Registry:
        """Where tasks are found by name."""


@dataclass(frozen=True, slots=True)
class NoDefaults:
    """Where no scheduler says anything."""

    result_ttl_ms: int = DEFAULT_RESULT_TTL_MS
    routes: Routes | None = None
    registry: Registry = field(default_factory=Registry)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A schedule, and the call that it makes."""

    name: str
    said: Schedule
    """As it was written."""
    schedule: Schedule
    """The same in the scheduler's zone."""
    task: str
    payload: str
    plan: Plan
    policy: Policy
    made_for: Task[..., Any] | None = None
    """The task itself, where it is in the code: a module that is reloaded makes another one of the same name."""
    auto: bool = False
    """Whether its name was made from the call."""
    of_conf: bool = False
    """Whether it stands in the setting ``beat_schedule``."""
    late: Callable[[Plan], tuple[Plan, Policy]] | None = None
    """What holds for its calls, by what a task says of all of its own that may be defined after it."""

    @property
    def key(self) -> str:
        """The key of its pending fire."""
        return f"{SCHEDULE_KEY}{self.name}"

    @property
    def call(self) -> tuple[str, str]:
        """What it calls."""
        return self.task, self.payload

    def after(self, ms: int) -> int | None:
        """Its first fire later than an instant. A schedule of somebody else's that fails has none for the moment."""
        try:
            found = self.schedule.after(ms)
            if found is None or (type(found) is int and found > ms):
                return found
            LOG.error("Schedule %s does not fire: after(%d) gave %r, which is no later instant", self.name, ms, found)
        except Exception:
            LOG.exception("Schedule %s does not fire: it cannot say when", self.name)
        return None

    def told_by(self, registry: Registry) -> Entry:
        """The same with what its task says of all its calls."""
        if self.late is None or self.task not in registry:
            return self
        try:
            plan, policy = self.late(registry.get(self.task)._plan)
            return replace(self, plan=plan, policy=policy)
        except InvalidValue as error:
            LOG.warning("Schedule %s does without what its task says: %s", self.name, error)
            return self

    def job(self, now_ns: int, carrier: Defaults) -> Job:
        """The call, due at once."""
        plan = self.told_by(carrier.registry).plan
        plan = plan if carrier.routes is None else carrier.routes.place(self.task, plan)
        return plan.job(self.task, self.payload, now_ns, carrier.result_ttl_ms)

    def fire(self, at_ms: int, now_ms: int, carrier: Defaults, stands: int = 0) -> Job:
        """The job of the fire at an instant, which may stand for others that were missed."""
        job = self.job(now_ms * 1_000_000, carrier)
        return job._replace(
            id=f"{self.name}@{_moment(at_ms)}",
            key=self.key,
            due_ms=at_ms,
            expires_ms=None,
            grace_ms=None,
            latest_ms=None,
            fire=Fire(self.name, at_ms, self.schedule.spec, missed=stands),
        )


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

    def add(self, entry: Entry) -> str:
        """Take a schedule in; its name, which is made here if none was given.

        One of the same name takes the place of the one before if it is the same call, or if its module was reloaded.

        Raises:
            InvalidValue: a schedule of that name makes another call.
        """
        if entry.auto:
            entry = self._named(entry)
        other = self.entries.get(entry.name)
        if other is not None:
            _refuse_other(other, entry)
            if other.call != entry.call:
                LOG.info("Schedule %s makes another call from now on: %s%s", entry.name, *entry.call)
        self.entries[entry.name] = entry
        self.begin()
        return entry.name

    def replace_conf(self, entries: Sequence[Entry]) -> None:
        """Those of the setting ``beat_schedule``, all of them, in the place of those before.

        Raises:
            InvalidValue: another schedule has the name of one; nothing has changed.
        """
        kept = {name: entry for name, entry in self.entries.items() if not entry.of_conf}
        for entry in entries:
            if entry.name in kept:
                _refuse_other(kept[entry.name], entry)
        self.entries.clear()
        self.entries.update(kept | {entry.name: entry for entry in entries})
        self.begin()

    def move_to(self, zone: tzinfo) -> None:
        """The scheduler has another zone."""
        moved = {name: replace(entry, schedule=entry.said.localized(zone)) for name, entry in self.entries.items()}
        self.entries.update(moved)
        self.begin()

    def _named(self, entry: Entry) -> Entry:
        """Under a name that no other call and no other time has; the same for the same."""
        for name, other in list(self.entries.items()):
            if other.auto and other.task == entry.task and other.made_for is not entry.made_for:
                del self.entries[name]  # its module was reloaded
        number, name = 1, entry.name
        while True:
            taken = self.entries.get(name)
            if taken is None or _alike(taken, entry):
                return replace(entry, name=name)
            number += 1
            name = f"{entry.name}:{number}"

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
        missing: list[Job | None] = []
        moved: list[Job | None] = []
        for entry in list(self.entries.values()):
            held = self.pending(store, entry)
            if held is None:
                missing.append(self._next(store, entry, now_ms))
            elif self._moves and _planned_otherwise(held, entry, now_ms):
                moved.append(self._next(store, entry, now_ms, held.id))
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

    def _next(self, store: Store, entry: Entry, now_ms: int, held: str | None = None) -> Job | None:
        """The first fire to come that has not been issued before; None if that is the one that is pending."""
        at_ms = entry.after(now_ms)
        while at_ms is not None:
            job = entry.fire(at_ms, now_ms, self._carrier)
            if job.id == held:
                return None
            if store.get(job.id) is None:
                return job
            at_ms = entry.after(at_ms)
        return None

    def unknown(self) -> list[str]:
        """What to claim without, as this process could not say what comes next; see Store.claim."""
        unknown = list(self._unknown) if self._unknown else ()
        return [f"{SCHEDULE_KEY}{name}" for name in unknown if name not in self.entries]

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
            try:
                self._take(claim, now_ms, ended, following, changed)
            except Exception as error:  # of a schedule that is the user's own class
                ended[claim.token] = hold(claim.job, now_ms, error)
        lost = add_next(following, ended, store, now_ms)
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
        policy = entry.told_by(self._carrier.registry).policy
        decision = decide(policy, entry.after, job.fire.at_ms, now_ms, job.fire.missed)
        if decision.next_ms is not None:
            next_fire = entry.fire(decision.next_ms, now_ms, self._carrier, decision.stands)
            following.append((claim, Followed(job=next_fire, missed=decision.missed)))
        if decision.skip is not None:
            ended[claim.token] = Skipped(reason=decision.skip)
            return
        if decision.missed:
            LOG.warning("Fire %s is run, and stands for %s others that were missed", job.id, in_words(decision.missed))
        fire, key = job.fire, job.key
        if decision.next_ms is not None:  # as the store has it from then on
            fire, key = fire._replace(followed=True, missed=decision.missed), None
        changed[claim.token] = claim._replace(
            job=job._replace(task=entry.task, payload=entry.payload, fire=fire, key=key)
        )

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


def _alike(one: Entry, other: Entry) -> bool:
    return (one.call, one.said.spec, one.plan, one.policy) == (other.call, other.said.spec, other.plan, other.policy)


def _refuse_other(other: Entry, entry: Entry) -> None:
    """Refuse a schedule under the name of another one, which would be lost. After a reload it takes its place."""
    same_place = other.of_conf == entry.of_conf and (other.made_for is None) == (entry.made_for is None)
    reloaded = other.task == entry.task and (entry.made_for is None or other.made_for is not entry.made_for)
    if same_place and (other.call == entry.call or reloaded):
        return
    if (other.call, other.said.spec) != (entry.call, entry.said.spec):
        where = " in beat_schedule" if other.of_conf else ""
        raise InvalidValue.of(
            "name",
            f"unique: a schedule of {other.task}{where} has it, so give another name=, or remove_schedule() that one",
            entry.name,
        )


def _planned_otherwise(held: Job, entry: Entry, now_ms: int) -> bool:
    """Whether the pending fire is of a schedule that has been changed since. One that was due is not: it was missed."""
    fire = held.fire
    if held.state is not State.SCHEDULED or fire is None or fire.at_ms <= now_ms:
        return False
    return fire.spec != entry.schedule.spec


def upcoming(entry: Entry, from_ms: int, until_ms: int) -> Iterator[int]:
    """The instants at which a schedule fires after ``from_ms`` and up to ``until_ms``."""
    at_ms = entry.after(from_ms)
    while at_ms is not None and at_ms <= until_ms:
        yield at_ms
        at_ms = entry.after(at_ms)


def _moment(at_ms: int) -> str:
    moment = as_datetime(at_ms)
    return moment.strftime("%Y-%m-%dT%H:%M:%S") + (f".{at_ms % 1000:03}" if at_ms % 1000 else "") + "Z"
