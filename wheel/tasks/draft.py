"""Draft: collects the jobs of a canvas, which wait for each other and are stored in one durable write."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from ..clock import MAX_MS
from ..contract import find
from ..errors import DuplicateJob, InvalidValue
from ..job import After, Job
from ..payload import encode_call
from ..shape import Shape, as_text, renumbered
from .options.plan import Plan
from .options.times import refuse_too_late

if TYPE_CHECKING:
    from .canvas import Canvas, Signature
    from .carrier import Carrier
    from .options.times import Seconds

GATHERED_TTL_MS: Final = 7 * 86_400_000
"""The least result_ttl of jobs whose results other jobs wait for."""
ALONE: Final = ("key", "task_id", "on_conflict", "max_wait", "after", "even_if")
"""Options that can be set for a single call, but not for a chain, group or chord."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """The last jobs of a part of a canvas: the next part waits for them and gets their results."""

    ids: tuple[str, ...] = ()
    """The ids of the jobs; empty at the start of a canvas."""
    shape: Shape | None = None
    """How their results are passed on, by their index in ``ids``; None at the start."""
    need: str = "succeeded"
    """How they must have ended; see job.After."""
    args: tuple[Any, ...] = ()
    """At the start: positional arguments to pass before those of the next calls."""
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    """At the start: keyword arguments to add to those of the next calls."""
    countdown: Seconds | None = None
    eta: datetime | None = None
    """When the next calls are due; replaces their own countdown and eta."""

    def timed(self, countdown: Seconds | None, eta: datetime | None) -> Ends:
        """Return the same with a time for the next calls, unless it already has one."""
        given = self.countdown is not None or self.eta is not None
        return self if given or (countdown is None and eta is None) else replace(self, countdown=countdown, eta=eta)

    @property
    def in_front(self) -> tuple[Any, ...]:
        """What the next call gets before its own arguments; None for a result that is not known yet."""
        if self.ids:
            return (None,)
        return self.args if self.shape is None else ([],)

    @property
    def gives(self) -> str:
        """What the next call gets; see job.After."""
        if self.need == "failed":
            return "id"
        return "result" if isinstance(self.shape, int) else "results"


def side_by_side(ends: Sequence[Ends]) -> Ends:
    """Join the ends of a group's members."""
    places: dict[str, int] = {}
    shapes = []
    for one in ends:
        numbers = {number: places.setdefault(id, len(places)) for number, id in enumerate(one.ids)}
        shapes.append(() if one.shape is None else renumbered(one.shape, numbers))
    return Ends(ids=tuple(places), shape=tuple(shapes))


class Draft:
    """Jobs to be stored together."""

    def __init__(self, carrier: Carrier, now_ns: int) -> None:
        self.carrier: Final = carrier
        self.now_ns: Final = now_ns
        self.jobs: Final[dict[str, Job]] = {}
        self.members: list[str] = []
        """The ids of the jobs of the current canvas, without linked ones."""
        self._over: dict[str, Any] = {}
        self._earliest: dict[str, int] = {}
        self._named: list[str] = []
        self._prefix: str | None = None
        self._numbers: dict[str, int] = {}

    def store(self, *, fresh: bool = True) -> None:
        """Store the jobs. ``fresh``: all ids are new, except those that the caller chose.

        Raises:
            DuplicateJob: the store already has an id that the caller chose.
        """
        for id in self._named:
            if find(self.carrier.store, id) is not None:
                raise DuplicateJob(f"job {id} is already in the store, so no chain, group or chord can include it")
        self.carrier.submit_many(list(self.jobs.values()), fresh=fresh and not self._named)

    @contextmanager
    def under(self, options: Mapping[str, Any]) -> Iterator[None]:
        """In the block, these options replace those of each call. Options of an outer block take precedence."""
        before = self._over
        self._over = {**options, **before}
        try:
            yield
        finally:
            self._over = before

    def call(self, sig: Signature[Any], after: Ends) -> Ends:
        """Add the job of one call, after other jobs."""
        if after.need == "failed":
            sig = sig.task.as_errback(sig)
        task, call = sig.task, sig.call
        if task._scheduler is not None and task._scheduler.registry is not self.carrier.registry:
            raise InvalidValue.of("the calls of a canvas", "of tasks of one scheduler", sig)
        plan = call.plan.but(self._over) if self._over else call.plan
        if plan.key is not None:
            raise InvalidValue.of("key", "left out for a chain, group or chord", plan.key)
        if plan.after is not None:
            raise InvalidValue.of("after", "left out for a chain, group or chord", plan.after)
        plan.refuse_idle()
        timed = after.timed(call.countdown, call.eta)
        given = () if sig.immutable else after.in_front
        kwargs = sig.kwargs if after.ids or sig.immutable else {**sig.kwargs, **after.kwargs}
        task.check(*given, *sig.args, **kwargs)
        payload = encode_call(sig.args if after.ids else (*given, *sig.args), dict(kwargs))
        if self.carrier.routes is not None:
            plan = self.carrier.routes.place(task.name, plan)
        ttl_ms = self.carrier.result_ttl_ms
        if after.ids:
            if timed.eta is not None:
                raise InvalidValue.of("eta", "left out for a call that waits for others: pass countdown", timed.eta)
            job = self._waiting(plan.job(task.name, payload, self.now_ns, ttl_ms, timed.countdown), sig, after)
        else:
            job = plan.job(task.name, payload, self.now_ns, ttl_ms, timed.countdown, timed.eta)
        id = self.put(job, named=plan.task_id is not None)
        self.link(id, plan)
        return Ends(ids=(id,), shape=0)

    def _waiting(self, job: Job, sig: Signature[Any], after: Ends) -> Job:
        delay_ms = job.due_ms - job.created_ms
        earliest_ms = max(self._earliest[id] for id in after.ids) + delay_ms
        refuse_too_late(earliest_ms, job.expires_ms)
        gives, shape = "nothing" if sig.immutable else after.gives, ""
        if gives == "results" and after.shape != (*range(len(after.ids)),):
            shape = as_text(after.shape or ())
        waits = After(after.ids, len(after.ids), after.need, gives, delay_ms, shape)
        return job._replace(due_ms=MAX_MS, after=waits)

    def put(self, job: Job, *, named: bool) -> str:
        """Add a job, and list it in ``wakes`` of the jobs that it waits for. Returns its id.

        ``named``: the caller chose the id.
        """
        if named:
            if job.id in self.jobs:
                raise InvalidValue.of("task_id", "a different one for each call", job.id)
            self._named.append(job.id)
        elif self._prefix is not None:
            job = job._replace(id=self._free(self._prefix))
        after = job.after
        waits = [] if after is None else [id for id in after.ids if id in self.jobs]  # else it is in the store
        self.jobs[job.id] = job
        self.members.append(job.id)
        due_ms = max((self._earliest[id] for id in waits), default=job.created_ms)
        self._earliest[job.id] = job.due_ms if after is None else due_ms + after.delay_ms
        for id in waits:
            before = self.jobs[id]
            ttl_ms = max(before.result_ttl_ms, GATHERED_TTL_MS)
            self.jobs[id] = before._replace(wakes=(*before.wakes, job.id), result_ttl_ms=ttl_ms)
        return job.id

    def _free(self, prefix: str) -> str:
        number = self._numbers[prefix] = self._numbers.get(prefix, -1) + 1
        return f"{prefix}.{number}" if number else prefix

    def link(self, id: str, plan: Plan) -> None:
        """Add the calls that are linked to a job: those for success and those for failure."""
        if plan.link or plan.link_error:
            self.follow(Ends(ids=(id,), shape=0), plan.link)
            self.follow(Ends(ids=(id,), shape=0, need="failed"), plan.link_error)

    def follow(self, ends: Ends, calls: Iterable[Canvas[Any]]) -> None:
        """Add linked calls, which run after other jobs but do not belong to the current canvas."""
        before = self.members, self._over, self._prefix
        for number, one in enumerate(calls):
            self.members, self._over = [], {}
            self._prefix = f"{ends.ids[0]}:{ends.need}-{number}" if ends.ids else None  # repeatable ids
            one.lay(self, ends)
        self.members, self._over, self._prefix = before


def send_linked(carrier: Carrier, jobs: Sequence[Job], plan: Plan) -> list[str]:
    """Store jobs of one plan together with the calls that are linked to each. Returns the ids of the jobs.

    If the caller chose an id that the store already has, nothing is added.
    """
    if plan.key is not None:
        raise InvalidValue("pass key, or link and link_error, not both")
    if plan.task_id is None or find(carrier.store, plan.task_id) is None:
        draft = Draft(carrier, jobs[0].created_ms * 1_000_000 if jobs else 0)
        for job in jobs:
            draft.put(job, named=False)
            draft.link(job.id, plan)
        draft.store(fresh=False)
    return [job.id for job in jobs]
