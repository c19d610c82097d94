"""Schedules of a scheduler: who has them, and what becomes of their fires.

In the store a schedule is one pending job, its next fire, which holds the key ``schedule:<name>``. The process that
claims it tells the store in one step which fire comes next (the effect Keep), before it runs this one: so each fire is
issued once, however many processes there are and whenever one of them dies.
The id of a fire is ``<name>@<instant>``. Nobody is elected, and nothing is in the memory of a process alone.

What is pending stays as it is until a process starts whose code says something else; then it is moved.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import tzinfo
from typing import Final

from ..contract import Filter, Store, find
from ..errors import TooManyPending
from ..events import Events
from ..job import FINISHED, Claim, Job, Outcome, Released, Skipped, State
from ..tasks.carrier import Defaults
from ..tasks.options.plan import SCHEDULE_KEY
from ..turn import Keep
from .entry import LOG, Entry, NoDefaults, alike, is_reload, refuse_other
from .following import add_next, hold
from .misfires import decide, in_words

_UNFINISHED: Final = frozenset(State) - FINISHED
_LOOK_MS: Final = 30_000
"""So often it is made sure that each schedule has a pending fire: somebody may have cancelled it."""


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
            refuse_other(other, entry)
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
                refuse_other(kept[entry.name], entry)
        self.entries.update({entry.name: entry for entry in entries})  # first: a ticker may look in between
        wanted = {*kept, *(entry.name for entry in entries)}
        for name in self.entries.keys() - wanted:
            del self.entries[name]
        self.begin()

    def move_to(self, zone: tzinfo) -> None:
        """The scheduler has another zone."""
        moved = {name: replace(entry, schedule=entry.said.localized(zone)) for name, entry in self.entries.items()}
        self.entries.update(moved)
        self.begin()

    def _named(self, entry: Entry) -> Entry:
        """Under a name that no other call and no other time has; the same for the same."""
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
        """See to it that each schedule has its next fire in the store; moves what was planned by other code, once.

        Called at each tick; looks at the store now and then only. A schedule for which there is no room (max_pending)
        begins at a later tick: what is due must be claimed meanwhile, or there would never be any.

        Raises:
            StoreError: the store failed; the next call tries again.
        """
        if not self.tends or not self.entries or (now_ms < self._look_at_ms and self._look_at_ms - now_ms <= _LOOK_MS):
            return
        if self._moves:
            self._tell_misfits()
        missing: list[Job | None] = []
        moved: list[Job | None] = []
        for entry in list(self.entries.values()):
            held = self.pending(store, entry)
            if held is None:
                missing.append(self._next(store, entry, now_ms))
            elif self._moves and _planned_otherwise(held, entry, now_ms):
                moved.append(self._next(store, entry, now_ms, held.id))
        try:
            store.add([job for job in moved if job is not None], now_ms, on_conflict="replace")
            self._begin_all(store, [job for job in missing if job is not None], now_ms)
        except TooManyPending as error:
            if not self._refused:
                LOG.warning("Not all of %d new schedules can begin yet: %s", len(missing) + len(moved), error)
            self._refused = True
            return
        self._moves = self._refused = False
        self._look_at_ms = now_ms + _LOOK_MS

    def _tell_misfits(self) -> None:
        """Say of schedules that name their task what would be refused if the task had been there before them."""
        for entry in list(self.entries.values()):
            misfit = entry.misfit(self._carrier.registry)
            if misfit is not None:
                LOG.error("Each run of schedule %s will fail: %s", entry.name, misfit)

    def _begin_all(self, store: Store, jobs: Sequence[Job], now_ms: int) -> None:
        try:
            store.add(jobs, now_ms)
        except TooManyPending:
            for job in jobs if len(jobs) > 1 else ():
                store.add([job], now_ms)
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
            if find(store, job.id) is None:
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
        following: list[tuple[Claim, Keep]] = []
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
        following: list[tuple[Claim, Keep]],
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
            following.append((claim, Keep(next=next_fire, missed=decision.missed)))
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


def _planned_otherwise(held: Job, entry: Entry, now_ms: int) -> bool:
    """Whether the pending fire is of a schedule that has been changed since. One that was due is not: it was missed."""
    fire = held.fire
    if held.state is not State.SCHEDULED or fire is None or fire.at_ms <= now_ms:
        return False
    return fire.spec != entry.schedule.spec
