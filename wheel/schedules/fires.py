"""The schedules of a scheduler, and their fires in the store.

In the store, a schedule is one pending job: its next fire, with the id ``<name>@<instant>`` and the key
``schedule:<name>``. A worker that claims it adds the following fire in one step of the store (the effect Keep)
before it runs the job. So each fire is created exactly once and none is forgotten, however many processes there are
and whenever one dies. There is no leader, and no state outside the store.

A pending fire stays as it is until a process starts in whose code the schedule is different; that process moves it.
Of a schedule that is defined in the store (stored.py), the definition is read whenever a fire is claimed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import tzinfo
from typing import Final, cast

from ..clock import MAX_MS
from ..contract import Filter, Store, find
from ..errors import StoreError, TooManyPending
from ..events import Events
from ..job import FINISHED, Claim, Job, Outcome, Released, Skipped, Snoozed, State
from ..tasks.carrier import Defaults
from ..tasks.options.plan import SCHEDULE_KEY
from ..turn import Keep
from .entry import LOG, Entry, alike, is_reload, refuse_other
from .misfires import crowded, decide, in_words
from .stored import DEFINITION, entry_of, find_definition, stored_entries

UNFINISHED: Final = frozenset(State) - FINISHED
_HOLD_MS: Final = 60_000
"""For how long a fire is postponed whose schedule raises."""
_LOOK_MS: Final = 30_000
"""How often to check that each schedule has a pending fire, which may have been cancelled."""


class Schedules:
    """The schedules of this process."""

    def __init__(self, carrier: Defaults | None = None) -> None:
        """Start without schedules. ``carrier`` has the defaults for their jobs; None if there will be none."""
        self.entries: Final[dict[str, Entry]] = {}
        self._carrier = cast("Defaults", carrier)
        self.tends = carrier is not None
        """Whether this process adds missing fires; False with ``hourwheel worker --no-beat``. A fire that it claims is
        followed by the next one either way."""
        self._unknown: dict[str, str | None] = {}
        """The schedules whose fires this process cannot run, each with the task that it lacks; None: the schedule."""
        self._clashes: set[str] = set()
        """Names that schedules of the code have as well as stored ones, which was logged."""
        self._refused = False
        """Whether it was logged that there is no room for new schedules."""
        self.begin()

    def begin(self) -> None:
        """Check the store at the next tick: the process has started, or a schedule has changed."""
        self._look_at_ms = 0
        self._moves = True

    def add(self, entry: Entry) -> str:
        """Add a schedule and return its name, which is made up if none was given.

        It replaces a schedule of the same name if that makes the same call, or if its module was reloaded.

        Raises:
            InvalidValue: a schedule of that name makes another call.
        """
        if entry.auto:
            entry = self._named(entry)
        other = self.entries.get(entry.name)
        if other is not None:
            refuse_other(other, entry)
            if other.call != entry.call:
                LOG.info("Schedule %s now calls %s%s", entry.name, *entry.call)
        self.entries[entry.name] = entry
        self.begin()
        return entry.name

    def replace_conf(self, entries: Sequence[Entry]) -> None:
        """Replace all schedules of the setting ``beat_schedule``.

        Raises:
            InvalidValue: another schedule has one of the names. Nothing is changed.
        """
        kept = {name: entry for name, entry in self.entries.items() if not entry.of_conf}
        for entry in entries:
            if entry.name in kept:
                refuse_other(kept[entry.name], entry)
        self.entries.update({entry.name: entry for entry in entries})  # before removing: a ticker may look meanwhile
        wanted = {*kept, *(entry.name for entry in entries)}
        for name in self.entries.keys() - wanted:
            del self.entries[name]
        self.begin()

    def move_to(self, zone: tzinfo) -> None:
        """Change the time zone of schedules that have none of their own."""
        moved = {name: replace(entry, schedule=entry.said.localized(zone)) for name, entry in self.entries.items()}
        self.entries.update(moved)
        self.begin()

    def _named(self, entry: Entry) -> Entry:
        """Give an entry a name that is unique, and the same each time for the same call and times."""
        for name, other in list(self.entries.items()):
            again = other.task == entry.task and other.made_for is not entry.made_for
            if other.auto and (again or is_reload(other.body, entry.body, lines=False)):
                del self.entries[name]
        number, name = 1, entry.name
        while True:
            taken = self.entries.get(name)
            if taken is None or alike(taken, entry):
                return replace(entry, name=name)
            number += 1
            name = f"{entry.name}:{number}"

    # ---- what is pending ---------------------------------------------------------------------------------

    def look_after(self, store: Store, now_ms: int) -> None:
        """Add missing fires to the store. On the first call, also move fires that were planned by other code.

        Called at each tick, but reads the store only every 30 s. If there is no room for a schedule (max_pending), it
        is tried again at the next tick; meanwhile jobs are claimed, which makes room.

        Raises:
            StoreError: the store failed. The next call tries again.
        """
        if not self.tends or (now_ms < self._look_at_ms and self._look_at_ms - now_ms <= _LOOK_MS):
            return
        if self._moves:
            self._tell_misfits()
        stored = self._stored(store)
        missing = [self._next(store, entry, now_ms) for entry in stored if self.pending(store, entry) is None]
        moved: list[Job | None] = []
        left: list[str] = []
        names = {entry.name for entry in stored}
        for entry in list(self.entries.values()):
            if entry.name in names:
                self._tell_clash(entry)
                continue
            held = self.pending(store, entry)
            if held is None:
                missing.append(self._next(store, entry, now_ms))
            elif self._moves and _planned_otherwise(held, entry, now_ms):
                moved.append(self._next(store, entry, now_ms, held))
                left.append(held.id)
        try:
            if left:
                store.add([job for job in moved if job is not None], now_ms, on_conflict="replace")
                forget_unrun(store, left)
            self._begin_all(store, [job for job in missing if job is not None], now_ms)
        except TooManyPending as error:
            if not self._refused:
                LOG.warning("Not all of %d new schedules can begin yet: %s", len(missing) + len(moved), error)
            self._refused = True
            return
        self._moves = self._refused = False
        self._look_at_ms = now_ms + _LOOK_MS

    def _stored(self, store: Store) -> list[Entry]:
        found = stored_entries(store)
        for entry in found:
            if entry.task in self._carrier.registry:
                self._unknown.pop(entry.name, None)
        return found

    def _tell_clash(self, entry: Entry) -> None:
        if entry.name not in self._clashes:
            self._clashes.add(entry.name)
            LOG.error(
                "Schedule %s of the code does not fire: the store has a schedule of that name, which does. Rename one "
                "of them, or remove the stored one: hourwheel schedules remove %s", entry.name, entry.name,
            )  # fmt: skip

    def _tell_misfits(self) -> None:
        """Log an error for each schedule whose task, defined after it, does not take its arguments."""
        for entry in list(self.entries.values()):
            misfit = entry.misfit(self._carrier.registry)
            if misfit is not None:
                LOG.error("Each run of schedule %s will fail: %s", entry.name, misfit)

    def _begin_all(self, store: Store, jobs: Sequence[Job], now_ms: int) -> None:
        if not jobs:
            return
        try:
            store.add(jobs, now_ms)
        except TooManyPending:
            for job in jobs if len(jobs) > 1 else ():
                store.add([job], now_ms)
            raise

    def spare_look(self, now_ms: int) -> None:
        """Put off the next check: the caller knows that each schedule has its pending fire."""
        if self._look_at_ms:
            self._look_at_ms = now_ms + _LOOK_MS

    def pending(self, store: Store, entry: Entry) -> Job | None:
        """Return the schedule's unfinished fire, if any."""
        return next(iter(store.scan(Filter(key=entry.key, states=UNFINISHED), 1)), None)

    def _next(self, store: Store, entry: Entry, now_ms: int, held: Job | None = None) -> Job | None:
        """The first future fire that was never added before; None if it is the pending one, ``held``."""
        at_ms = entry.after(now_ms)
        before = held.fire.before if held is not None and held.fire is not None else ()
        while at_ms is not None:
            job = entry.fire(at_ms, now_ms, self._carrier, before=before)
            if held is not None and job.id == held.id:
                return None
            if find(store, job.id) is None:
                return job
            at_ms = entry.after(at_ms)
        return None

    def unknown(self) -> list[str]:
        """Keys that this process must not claim, because it does not know the schedules. See Store.claim."""
        unknown = list(self._unknown.items()) if self._unknown else ()
        return [f"{SCHEDULE_KEY}{name}" for name, task in unknown if self._is_unknown(name, task)]

    def _is_unknown(self, name: str, task: str | None) -> bool:
        return name not in self.entries if task is None else task not in self._carrier.registry

    # ---- what was claimed --------------------------------------------------------------------------------

    def follow(
        self, claims: Sequence[Claim], store: Store, now_ms: int, on: Events
    ) -> tuple[Sequence[Claim], list[tuple[Claim, Outcome]]]:
        """Add the next fires of claimed ones. Return (the claims to run, the outcomes of claims that do not run)."""
        fires = [claim for claim in claims if claim.job.fire is not None and not claim.job.fire.followed]
        if not fires:
            return claims, []
        ended: dict[int, Outcome] = {}
        following: list[tuple[Claim, Keep]] = []
        changed: dict[int, Claim] = {}
        try:
            unfinished, stored = _unfinished(fires, store), _definitions(fires, store)
        except StoreError as error:
            LOG.warning("%d fires are released, because the store did not say enough: %s", len(fires), error)
            release = Released(reason="its schedule could not be looked up in the store")
            return [claim for claim in claims if claim not in fires], [(claim, release) for claim in fires]
        for claim in fires:
            try:
                entry = self._entry(claim.job, stored, ended, claim.token)
                if entry is not None:
                    self._take(claim, entry, unfinished, now_ms, ended, following, changed)
            except Exception as error:  # from a user's own Schedule class
                ended[claim.token] = _hold(claim.job, now_ms, error)
        lost = _add_next(following, ended, store, now_ms)
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
        entry: Entry,
        unfinished: frozenset[str],
        now_ms: int,
        ended: dict[int, Outcome],
        following: list[tuple[Claim, Keep]],
        changed: dict[int, Claim],
    ) -> None:
        job = claim.job
        assert job.fire is not None
        policy = entry.told_by(self._carrier.registry).policy
        before = tuple(id for id in job.fire.before if id in unfinished)
        decision = decide(policy, entry.after, job.fire.at_ms, now_ms, job.fire.missed)
        decision = crowded(policy, decision, before)
        if decision.next_ms is not None:
            known = () if policy.max_instances is None else before if decision.skip is not None else (*before, job.id)
            next_fire = entry.fire(decision.next_ms, now_ms, self._carrier, decision.stands, known)
            following.append((claim, Keep(next=next_fire, missed=decision.missed)))
        again = decision.next_ms is None and job.attempt > 1  # the last fire, retried: it is late because it was tried
        if decision.skip is not None and not again:
            ended[claim.token] = Skipped(reason=decision.skip)
            return
        if decision.missed:
            LOG.warning("Fire %s runs in place of %s others that were missed", job.id, in_words(decision.missed))
        fire, key = job.fire, job.key
        if decision.next_ms is not None:  # as in the store after the outcome Followed
            fire, key = fire._replace(followed=True, missed=decision.missed), None
        changed[claim.token] = claim._replace(
            job=job._replace(task=entry.task, payload=entry.payload, fire=fire, key=key)
        )

    def _entry(self, job: Job, stored: Mapping[str, Job | None], ended: dict[int, Outcome], token: int) -> Entry | None:
        """The schedule of a claimed fire. If there is none that this process can run, the outcome is put in ``ended``.

        Raises:
            InvalidValue: the schedule is defined in the store, and cannot be read.
        """
        assert job.fire is not None
        name = job.fire.schedule
        if not job.fire.stored:
            entry = self.entries.get(name)
            if entry is None:
                ended[token] = self._give_back(job)
            return entry
        if job.task == DEFINITION:  # somebody has moved it
            ended[token] = Snoozed(due_ms=MAX_MS, reason="the definition of a schedule does not run")
            return None
        definition = stored[name]
        if definition is None:
            ended[token] = Skipped(reason="skipped: its schedule was removed")
            return None
        entry = entry_of(definition)
        if entry.task in self._carrier.registry:
            return entry
        if self._unknown.get(name) != entry.task:
            self._unknown[name] = entry.task
            LOG.warning("Schedule %s waits for a process that has its task %s", name, entry.task)
        ended[token] = Released(reason=f"no task named {entry.task!r} in the process that took it")
        return None

    def _give_back(self, job: Job) -> Released:
        assert job.fire is not None
        name = job.fire.schedule
        if name not in self._unknown:
            self._unknown[name] = None
            LOG.warning(
                "There is no schedule named %s in this process; its fire stays pending for a process that has it. "
                "If the schedule was removed, run: hourwheel cancel %s", name, job.id,
            )  # fmt: skip
        return Released(reason=f"no schedule named {name!r} in the process that took it")


def forget_unrun(store: Store, ids: Sequence[str]) -> None:
    """Drop fires that were replaced or cancelled before they ran, since a fire of the same instant may come again."""
    jobs = store.get(ids) if ids else []
    store.forget([job.id for job in jobs if job is not None and job.finished and job.started_ms is None])


def _unfinished(fires: Sequence[Claim], store: Store) -> frozenset[str]:
    """Which of the earlier fires that these name have not ended."""
    ids = {id for claim in fires if claim.job.fire is not None for id in claim.job.fire.before}
    found = store.get(list(ids)) if ids else ()
    return frozenset(job.id for job in found if job is not None and not job.finished)


def _definitions(fires: Sequence[Claim], store: Store) -> dict[str, Job | None]:
    """The definitions of the stored schedules among those of fires, by name."""
    names = {claim.job.fire.schedule for claim in fires if claim.job.fire is not None and claim.job.fire.stored}
    return {name: find_definition(store, name) for name in names}


def _planned_otherwise(held: Job, entry: Entry, now_ms: int) -> bool:
    """Whether the schedule has changed since the fire was added. Never for a fire that is already due (a misfire)."""
    fire = held.fire
    if held.state is not State.SCHEDULED or fire is None or fire.at_ms <= now_ms:
        return False
    return fire.spec != entry.schedule.spec


def _add_next(
    following: Sequence[tuple[Claim, Keep]], ended: dict[int, Outcome], store: Store, now_ms: int
) -> set[int]:
    """Add the next fires, so that one that cannot be added does not hold up the others. Returns lost claims, by token.

    ``ended``: by token, what becomes of claims that are not run; those that cannot be followed are put in.
    """
    try:
        return {claim.token for claim in store.settle(following, now_ms)} if following else set()
    except StoreError as error:
        LOG.warning("%d fires are released, because the next ones could not be added: %s", len(following), error)
        ended |= {claim.token: Released(reason="the next fire could not be added") for claim, _ in following}
        return set()
    except Exception as error:  # one of the jobs is not valid: find out which
        if len(following) > 1:
            return {token for one in following for token in _add_next([one], ended, store, now_ms)}
        claim = following[0][0]
        ended[claim.token] = _hold(claim.job, now_ms, error)
        return set()


def _hold(job: Job, now_ms: int, error: Exception) -> Snoozed:
    """Postpone a fire whose schedule raises."""
    LOG.error("Fire %s is postponed by %d s: its schedule failed", job.id, _HOLD_MS // 1000, exc_info=error)
    return Snoozed(due_ms=now_ms + _HOLD_MS, reason=f"its schedule failed: {type(error).__name__}")
