"""Calls that belong together: signatures, and chains, groups and chords of them.

Everything is stored at once, in one durable write, before the first of it runs: each later job waits for those before
it (``Job.after``) and is woken by the store when they have ended (``Job.wakes``). So all of it can be looked at,
cancelled and counted from the beginning, and no crash can lose what comes next.

A chain is a list of jobs each of which waits for the one before. A group is jobs side by side. A chord is a chain of a
group and one job, which is given the list of the group's results. They may be nested.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from .clock import MAX_MS
from .errors import InvalidValue
from .job import After, Job
from .payload import encode_call
from .result import AsyncResult
from .results import Results

if TYPE_CHECKING:
    from typing import Unpack

    from .options import CallOptions, Seconds
    from .sender import Sender
    from .task import Carrier, Task

R = TypeVar("R")
GATHERED_TTL_MS: Final = 7 * 86_400_000
"""Results that another job waits for are kept at least so long."""


@dataclass(slots=True)
class Draft:
    """Jobs that are to be stored together."""

    carrier: Carrier
    now_ns: int
    countdown: Seconds | None = None
    eta: datetime | None = None
    """When those that wait for nothing are due."""
    jobs: dict[str, Job] = field(default_factory=dict)

    def put(self, job: Job) -> None:
        """Take a job in, and let those it waits for know."""
        self.jobs[job.id] = job
        for id in () if job.after is None else job.after.ids:
            before = self.jobs[id]
            ttl_ms = max(before.result_ttl_ms, GATHERED_TTL_MS)
            self.jobs[id] = before._replace(wakes=(*before.wakes, job.id), result_ttl_ms=ttl_ms)


@dataclass(frozen=True, slots=True)
class Ends:
    """The jobs that what comes next is to wait for."""

    ids: tuple[str, ...] = ()
    many: bool = False
    """Whether they are a group, so that what comes next is given a list."""


class Canvas(ABC):
    """Something that can be called later as a whole."""

    @abstractmethod
    def lay(self, draft: Draft, after: Ends) -> Ends:
        """Put the jobs of it into a draft, behind others; where it ends."""

    @abstractmethod
    def carrier(self) -> Carrier:
        """What carries its calls."""

    def __or__(self, other: Canvas) -> Chain:
        if not isinstance(other, Canvas):
            return NotImplemented
        return Chain(self, other)

    def _apply(self, countdown: Seconds | None, eta: datetime | None) -> tuple[Ends, Carrier]:
        carrier = self.carrier()
        draft = Draft(carrier, carrier.clock.now_ns(), countdown, eta)
        ends = self.lay(draft, Ends())
        carrier.submit_many(list(draft.jobs.values()))
        return ends, carrier

    def apply_async(self, *, countdown: Seconds | None = None, eta: datetime | None = None) -> Any:
        """Call it later, all of it in one durable write.

        Args:
            countdown: seconds from now, or a timedelta, until the first of it is due.
            eta: an aware datetime, in the place of countdown.

        Returns:
            An AsyncResult of the last job; of a group, Results.
        """
        ends, carrier = self._apply(countdown, eta)
        return Results(ends.ids, carrier) if ends.many else AsyncResult(ends.ids[0], carrier)

    def delay(self) -> Any:
        """Call it as soon as workers are free; see apply_async."""
        return self.apply_async()

    __call__ = delay


class Signature(Canvas, Generic[R]):
    """One call of a task, not made yet: what ``task.s(...)`` gives.

    In a chain it is given the result of what comes before, in front of its own arguments; with ``si`` ("immutable") it
    is not.

    >>> (remind.s(1) | remind.si(2, "x")).delay().get(timeout=5)
    'X'
    """

    def __init__(
        self,
        task: Task[..., R],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
        call: Sender[..., R] | None = None,
        *,
        immutable: bool = False,
    ) -> None:
        """A call of ``task``; ``call`` is the task with options, if there are any."""
        self.task: Final = task
        self.args: Final = tuple(args)
        self.kwargs: Final = dict(kwargs or {})
        self.call: Final = call or task
        self.immutable: Final = immutable

    def __repr__(self) -> str:
        shown = [*map(repr, self.args), *(f"{name}={value!r}" for name, value in self.kwargs.items())]
        return f"{self.task.name}.{'si' if self.immutable else 's'}({', '.join(shown)})"

    def set(self, **options: Unpack[CallOptions]) -> Signature[R]:
        """The same call with more options; see CallOptions."""
        call = self.call.options(**options)
        return Signature(self.task, self.args, self.kwargs, call, immutable=self.immutable)

    def clone(self, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None) -> Signature[R]:
        """The same call with ``args`` in front of its own, and ``kwargs`` added."""
        merged = {**self.kwargs, **(kwargs or {})}
        return Signature(self.task, (*args, *self.args), merged, self.call, immutable=self.immutable)

    def apply_async(
        self, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None, **options: Any
    ) -> AsyncResult[R]:
        """Call the task later; ``args`` stand in front of the signature's own."""
        if self.immutable:
            args, kwargs = (), None
        return self.call.apply_async((*args, *self.args), {**self.kwargs, **(kwargs or {})}, **options)

    def delay(self, *args: Any, **kwargs: Any) -> AsyncResult[R]:
        """Call the task as soon as a worker is free; the arguments stand in front of the signature's own."""
        return self.apply_async(args, kwargs)

    def __call__(self, *args: Any, **kwargs: Any) -> R:
        """Call the function, here and now."""
        return self.task(*args, *self.args, **{**self.kwargs, **kwargs})

    def carrier(self) -> Carrier:
        """See Canvas."""
        return self.task.scheduler

    def lay(self, draft: Draft, after: Ends) -> Ends:
        """See Canvas."""
        if after.ids:
            gives = "nothing" if self.immutable else "results" if after.many else "result"
            job = self.behind(draft, after.ids, gives)
        else:
            job = self.job(draft)
        draft.put(job)
        return Ends((job.id,))

    def job(self, draft: Draft, *, first: bool = True, in_front: tuple[Any, ...] = ()) -> Job:
        """The call as a job; ``in_front`` stands for what it is given later, ``first`` for waiting for nothing."""
        call = self.call
        if call._plan.key is not None:
            raise InvalidValue.of("key", "absent from calls that belong together", call._plan.key)
        self.task._check(*in_front, *self.args, **self.kwargs)
        countdown, eta = call._countdown, call._eta
        if countdown is None and eta is None and first:
            countdown, eta = draft.countdown, draft.eta
        payload = encode_call(self.args, self.kwargs)
        plan, routes = call._plan, draft.carrier.routes
        if routes is not None:
            plan = routes.place(self.task.name, plan)
        return plan.job(self.task.name, payload, draft.now_ns, draft.carrier.result_ttl_ms, countdown, eta)

    def behind(self, draft: Draft, ids: tuple[str, ...], gives: str, need: str = "succeeded") -> Job:
        """The call as a job that waits for others; its countdown begins when they have ended."""
        if self.call._eta is not None:
            raise InvalidValue.of("eta", "absent from a call that waits for others", self.call._eta)
        job = self.job(draft, first=False, in_front=() if gives == "nothing" else (None,))
        after = After(ids, len(ids), need, gives, job.due_ms - job.created_ms)
        return job._replace(due_ms=MAX_MS, after=after)


def send_linked(
    carrier: Carrier, job: Job, link: Sequence[Signature[Any]], link_error: Sequence[Signature[Any]]
) -> AsyncResult[Any]:
    """Store a job together with calls that are made when it has succeeded, and others when it has failed.

    The first are given its result, the others its id.
    """
    if job.key is not None:
        raise InvalidValue.of("key", "absent when link or link_error is given", job.key)
    draft = Draft(carrier, job.created_ms * 1_000_000)
    draft.put(job)
    for need, gives, links in (("succeeded", "result", link), ("failed", "id", link_error)):
        for number, one in enumerate(links):
            follower = one.behind(draft, (job.id,), "nothing" if one.immutable else gives, need)
            draft.put(follower._replace(id=f"{job.id}:{need}-{number}"))  # the same id again adds nothing again
    carrier.submit_many(list(draft.jobs.values()), fresh=False)
    return AsyncResult(job.id, carrier)


class Chain(Canvas):
    """Calls one after the other, each given the result of the one before.

    >>> chain(add.s(1, 2), add.s(3)).delay().get(timeout=5)
    6
    """

    def __init__(self, *parts: Canvas) -> None:
        self.parts: Final = tuple(part for one in _canvases("chain", parts) for part in _links(one))

    def __repr__(self) -> str:
        return " | ".join(map(repr, self.parts))

    def carrier(self) -> Carrier:
        """See Canvas."""
        return self.parts[0].carrier()

    def lay(self, draft: Draft, after: Ends) -> Ends:
        """See Canvas."""
        for part in self.parts:
            after = part.lay(draft, after)
        return after


class Group(Canvas):
    """Calls side by side.

    >>> group(add.s(n, n) for n in range(3)).delay().get(timeout=5)
    [0, 2, 4]
    """

    def __init__(self, *members: Canvas | Iterable[Canvas]) -> None:
        given = members[0] if len(members) == 1 and not isinstance(members[0], Canvas) else members
        self.members: Final = _canvases("group", given)

    def __repr__(self) -> str:
        return f"group({', '.join(map(repr, self.members))})"

    def __len__(self) -> int:
        return len(self.members)

    def carrier(self) -> Carrier:
        """See Canvas."""
        return self.members[0].carrier()

    def lay(self, draft: Draft, after: Ends) -> Ends:
        """See Canvas."""
        return Ends(tuple(id for member in self.members for id in member.lay(draft, after).ids), many=True)


class Chord(Chain):
    """A group, and a call that is given the list of its results when all of it has succeeded.

    >>> chord([add.s(n, n) for n in range(3)], total.s()).delay().get(timeout=5)
    6
    """

    def __init__(self, header: Group | Iterable[Canvas], body: Canvas) -> None:
        super().__init__(header if isinstance(header, Group) else Group(header), body)


def chain(*parts: Canvas | Iterable[Canvas]) -> Chain:
    """See Chain."""
    given = parts[0] if len(parts) == 1 and not isinstance(parts[0], Canvas) else parts
    return Chain(*_canvases("chain", given))


def group(*members: Canvas | Iterable[Canvas]) -> Group:
    """See Group."""
    return Group(*members)


class _OpenChord:
    def __init__(self, header: Group | Iterable[Canvas]) -> None:
        self._header = header if isinstance(header, Group) else Group(header)

    def __call__(self, body: Canvas) -> Any:
        return Chord(self._header, body).delay()


def chord(header: Group | Iterable[Canvas], body: Canvas | None = None) -> Any:
    """A Chord; without a body, as Celery has it, what calls it when it is given one: ``chord(header)(body)``."""
    return _OpenChord(header) if body is None else Chord(header, body)


def _links(part: Canvas) -> tuple[Canvas, ...]:
    return part.parts if isinstance(part, Chain) else (part,)


def _canvases(name: str, given: Any) -> tuple[Canvas, ...]:
    found = tuple(given) if isinstance(given, Iterable) else (given,)
    if not found or not all(isinstance(one, Canvas) for one in found):
        raise InvalidValue.of(name, "made of signatures, as task.s(...) gives them, at least one", given)
    return found
