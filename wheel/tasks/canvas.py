"""Canvases: signatures, and chains, groups and chords of them.

All jobs of a canvas are stored in one durable write, before the first of them runs. A job that comes later waits for
those before it (``Job.after``); the store wakes it when they have ended (``Job.wakes``). So all jobs can be seen,
counted and cancelled from the beginning, and no crash loses the rest of a canvas.

In a chain, each job waits for the one before. In a group, jobs run independently. A chord is a chain of a group and one
job, which gets the list of the group's results. Canvases can be nested, and their results are nested likewise: a chain
that ends with a group has a list as its result. (As in Celery, a group inside a group is merged into it.)

All of them may be empty: an empty group has the result [], and an empty chain does nothing.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Final, Generic, TypeVar, overload

from ..errors import InvalidValue
from ..results.many import Results
from ..results.result import AsyncResult
from ..wrong_use import OF_CALL, lacks
from .draft import ALONE, Draft, Ends, side_by_side
from .options.plan import Plan
from .options.times import checked_time
from .signature import given

if TYPE_CHECKING:
    from typing import Self, Unpack

    from .carrier import Carrier
    from .options.plan import CallOptions
    from .sender import Sender
    from .task import Task

R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)
H = TypeVar("H")
H_co = TypeVar("H_co", covariant=True)


@lacks("a call that has not been made", OF_CALL)
class Canvas(ABC, Generic[H_co]):
    """A call, or several that belong together, which can be called later as a whole."""

    chain_type: ClassVar[type[Chain[Any]]]
    """What ``|`` makes."""
    plan_type: ClassVar[type[Plan]] = Plan
    """What knows the options of its calls."""
    _options: Mapping[str, Any] = {}
    _inside: tuple[Canvas[Any], ...] = ()

    def signatures(self) -> Iterator[Signature[Any]]:
        """Yield the calls of the canvas, without linked ones."""
        for one in self._inside:
            yield from one.signatures()

    @abstractmethod
    def lay(self, draft: Draft, after: Ends) -> Ends:
        """Add the canvas's jobs to a draft, after other jobs. Returns its last jobs."""

    def __or__(self, other: Canvas[H]) -> Chain[H]:
        if not isinstance(other, Canvas):
            return NotImplemented
        return self.chain_type(self, other)

    def set(self, **options: Unpack[CallOptions]) -> Self:
        """Return the canvas with options for all of its calls; see CallOptions.

        ``countdown`` and ``eta`` set when its first jobs are due. ``link`` is called with the result of the whole,
        ``link_error`` when one of the jobs has failed. Other options replace those of each call.

        Raises:
            InvalidValue: an option is not valid, or can be set for a single call only.
        """
        for name in ALONE:
            if name in options:
                raise InvalidValue.of(name, "left out for a chain, group or chord", options[name])
        given: dict[str, Any] = dict(options)
        checked_time(given.get("countdown"), given.get("eta"))
        self.plan_type().but({name: value for name, value in given.items() if name not in _TIMES})
        if given.keys() & _TIMES:
            given = {"countdown": None, "eta": None, **given}  # a new one replaces both
        made = copy(self)
        made._options = {**self._options, **given}
        return made

    def alter(self, **options: Unpack[CallOptions]) -> None:
        """Change the options of this canvas itself; see set()."""
        self._options = Canvas.set(self, **options)._options

    def adopt(self, other: Canvas[Any]) -> None:
        """Take the options of another canvas, where this one has none of that name."""
        self._options = {**other._options, **self._options}

    def option(self, name: str) -> Any:
        """The option of that name; None if it was not set."""
        return self._options.get(name)

    def apply_async(
        self, args: Sequence[Any] | None = None, kwargs: Mapping[str, Any] | None = None, **options: Unpack[CallOptions]
    ) -> H_co:
        """Call the canvas later. All jobs are stored in one durable write.

        Args:
            args: passed before the arguments of the first call; in a group, of each call.
            kwargs: added to their keyword arguments.
            options: see set().

        Returns:
            The AsyncResult of the last job; for a canvas that ends with a group, Results; for an empty chain, None.

        Raises:
            InvalidValue: an option is not valid, or can be set for a single call only.
            TypeError, PayloadError, NoScheduler, StoreError: as for Task.delay. Nothing was stored.
        """
        positional, named = given(args, kwargs)
        canvas = self.set(**options) if options else self
        held: H_co = _called(canvas, Ends(args=positional, kwargs=named))
        return held

    def delay(self, *args: Any, **kwargs: Any) -> H_co:
        """Call the canvas as soon as workers are free, or at ``countdown`` or ``eta``, as Task.delay does."""
        return self.apply_async(args, kwargs, **self._times_in(kwargs))

    def __call__(self, *args: Any, **kwargs: Any) -> H_co:
        """Same as delay()."""
        return self.delay(*args, **kwargs)

    def _times_in(self, kwargs: dict[str, Any]) -> dict[str, Any]:
        """Take countdown and eta out of the keyword arguments, unless a function has a parameter of that name."""
        tasks = [one.task for one in self.signatures()]
        ours = {
            "countdown": all(task._takes_no_countdown for task in tasks),
            "eta": all(task._takes_no_eta for task in tasks),
        }
        return {name: kwargs.pop(name) for name in ours if ours[name] and name in kwargs}

    def _begin(self, after: Ends) -> tuple[Ends, dict[str, Any], Mapping[str, Any]]:
        """Return (what the canvas starts after, options for each call, what is linked to the whole)."""
        rest = dict(self._options)
        after = after.timed(rest.pop("countdown", None), rest.pop("eta", None))
        links = Plan().but({name: rest.pop(name) for name in ("link", "link_error") if name in rest})
        return after, rest, {"succeeded": links.link, "failed": links.link_error}


_TIMES: Final = frozenset({"countdown", "eta"})


class Signature(Canvas[AsyncResult[R_co]], Generic[R_co]):
    """A call of a task that has not been made yet. ``task.s(...)`` returns one.

    In a chain it gets the result of the call before as its first argument, unless it is immutable (``task.si(...)``).

    >>> (remind.s(1) | remind.si(2, "x")).delay().get(timeout=5)
    'X'
    """

    def __init__(
        self,
        task: Task[..., Any],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
        call: Sender[..., Any] | None = None,
        *,
        immutable: bool = False,
    ) -> None:
        """Make a signature; ``call`` is the task with options, if there are any."""
        self.task: Final = task
        self.args: Final = tuple(args)
        self.kwargs: Final = dict(kwargs or {})
        self.call = call or task
        self.immutable = immutable

    def __repr__(self) -> str:
        shown = [*map(repr, self.args), *(f"{name}={value!r}" for name, value in self.kwargs.items())]
        return f"{self.task.name}.{'si' if self.immutable else 's'}({', '.join(shown)})"

    def set(self, **options: Unpack[CallOptions]) -> Signature[R_co]:
        """Return the call with more options; see CallOptions."""
        call = self.call.options(**options)
        return type(self)(self.task, self.args, self.kwargs, call, immutable=self.immutable)

    def clone(self, args: Sequence[Any] | None = None, kwargs: Mapping[str, Any] | None = None) -> Signature[R_co]:
        """Return the call with ``args`` before its own arguments, and ``kwargs`` added."""
        positional, named = given(args, kwargs)
        merged = {**self.kwargs, **named}
        return type(self)(self.task, (*positional, *self.args), merged, self.call, immutable=self.immutable)

    def apply_async(
        self, args: Sequence[Any] | None = None, kwargs: Mapping[str, Any] | None = None, **options: Any
    ) -> AsyncResult[R_co]:
        """Call the task later, with ``args`` before the signature's own."""
        positional, named = ((), {}) if self.immutable else given(args, kwargs)
        return self.call.apply_async((*positional, *self.args), {**self.kwargs, **named}, **options)

    def delay(self, *args: Any, **kwargs: Any) -> AsyncResult[R_co]:
        """Like Task.delay, with the arguments before the signature's own."""
        return self.apply_async(args, kwargs, **self._times_in(kwargs))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function now, in this thread."""
        return self.task(*args, *self.args, **{**self.kwargs, **kwargs})

    def signatures(self) -> Iterator[Signature[Any]]:
        """See Canvas."""
        yield self

    def lay(self, draft: Draft, after: Ends) -> Ends:
        """See Canvas."""
        return draft.call(self, after)


class Chain(Canvas[H_co]):
    """Calls that run one after the other. Each gets the result of the one before.

    >>> chain(add.s(1, 2), add.s(3)).delay().get(timeout=5)
    6
    """

    def __init__(self, *parts: Canvas[Any]) -> None:
        self.parts: Final = tuple(part for one in _canvases("chain", parts) for part in _parts_of(one))
        self._inside = self.parts

    def __repr__(self) -> str:
        return " | ".join(map(repr, self.parts)) or "chain()"

    def lay(self, draft: Draft, after: Ends) -> Ends:
        """See Canvas."""
        ends, options, links = self._begin(after)
        before = len(draft.members)
        with draft.under(options):
            for part in self.parts:
                ends = part.lay(draft, ends)
        _follow(draft, ends, before, links)
        return ends


Canvas.chain_type = Chain


class Group(Canvas[Results[R_co]], Generic[R_co]):
    """Calls that run independently of each other.

    >>> group(add.s(n, n) for n in range(3)).delay().get(timeout=5)
    [0, 2, 4]
    """

    def __init__(self, *members: Canvas[Any] | Iterable[Canvas[Any]]) -> None:
        given = members[0] if len(members) == 1 and not isinstance(members[0], Canvas) else members
        self.members: Final = tuple(member for one in _canvases("group", given) for member in _members_of(one))
        self._inside = self.members

    def __repr__(self) -> str:
        return f"group({', '.join(map(repr, self.members))})"

    def __len__(self) -> int:
        return len(self.members)

    def __bool__(self) -> bool:
        return True

    def lay(self, draft: Draft, after: Ends) -> Ends:
        """See Canvas."""
        start, options, links = self._begin(after)
        ends = []
        with draft.under(options):
            for member in self.members:
                before = len(draft.members)
                ends.append(member.lay(draft, start))
                _follow(draft, ends[-1], before, {"failed": links["failed"]})  # as in Celery: once for each that fails
        joined = side_by_side(ends) if ends else replace(start, shape=())  # what follows an empty group starts with it
        _follow(draft, joined, 0, {"succeeded": links["succeeded"]})
        return joined


class Chord(Chain[H_co]):
    """A group, and a call that gets the list of its results when all of its jobs have succeeded.

    >>> chord([add.s(n, n) for n in range(3)], total.s()).delay().get(timeout=5)
    6
    """

    def __init__(self, header: Canvas[Any] | Iterable[Canvas[Any]], body: Canvas[H_co]) -> None:
        super().__init__(header if isinstance(header, Group) else Group(header), body)


@overload
def chain(*parts: *tuple[*tuple[Canvas[Any], ...], Canvas[H]]) -> Chain[H]: ...
@overload
def chain(*parts: Canvas[H]) -> Chain[H]: ...
@overload
def chain(parts: Iterable[Canvas[Any]], /) -> Chain[Any]: ...
def chain(*parts: Canvas[Any] | Iterable[Canvas[Any]]) -> Chain[Any]:  # type: ignore[misc] # mypy does not match *tuple
    """Make a Chain of several canvases, or of one iterable of them."""
    given = parts[0] if len(parts) == 1 and not isinstance(parts[0], Canvas) else parts
    return Chain(*_canvases("chain", given))


@overload
def group(*members: Canvas[AsyncResult[R]] | Group[R]) -> Group[R]: ...
@overload
def group(members: Iterable[Canvas[AsyncResult[R]] | Group[R]], /) -> Group[R]: ...
@overload
def group(*members: Canvas[Any] | Iterable[Canvas[Any]]) -> Group[Any]: ...
def group(*members: Canvas[Any] | Iterable[Canvas[Any]]) -> Group[Any]:
    """Make a Group of several canvases, or of one iterable of them."""
    return Group(*members)


class _OpenChord:
    def __init__(self, header: Canvas[Any] | Iterable[Canvas[Any]]) -> None:
        self._header = header if isinstance(header, Group) else Group(header)

    def __call__(self, body: Canvas[H], **options: Unpack[CallOptions]) -> H:
        return Chord(self._header, body).apply_async(**options)


@overload
def chord(header: Canvas[Any] | Iterable[Canvas[Any]], body: None = None) -> _OpenChord: ...
@overload
def chord(header: Canvas[Any] | Iterable[Canvas[Any]], body: Canvas[H]) -> Chord[H]: ...
def chord(header: Canvas[Any] | Iterable[Canvas[Any]], body: Canvas[Any] | None = None) -> Any:
    """Make a Chord. Without a body, as in Celery, return a function that takes it and calls the chord."""
    return _OpenChord(header) if body is None else Chord(header, body)


def _parts_of(one: Canvas[Any]) -> tuple[Canvas[Any], ...]:
    return one.parts if isinstance(one, Chain) and not one._options else (one,)


def _members_of(one: Canvas[Any]) -> tuple[Canvas[Any], ...]:
    if isinstance(one, Chain) and not one.parts:
        return ()
    return one.members if isinstance(one, Group) and not one._options else (one,)


def _canvases(name: str, given: Any) -> tuple[Canvas[Any], ...]:
    found = tuple(given) if isinstance(given, Iterable) and not isinstance(given, str) else (given,)
    if not all(isinstance(one, Canvas) for one in found):
        raise InvalidValue.of(name, "made of signatures, such as task.s(...)", given)
    return found


def _follow(draft: Draft, ends: Ends, before: int, links: Mapping[str, Any]) -> None:
    """Add the linked calls of what was laid since the draft had ``before`` members."""
    if links.get("succeeded"):
        draft.follow(ends, links["succeeded"])
    if links.get("failed") and len(draft.members) > before:
        draft.follow(Ends(ids=tuple(draft.members[before:]), shape=0, need="failed"), links["failed"])


def _links_of(canvas: Canvas[Any]) -> Iterator[Signature[Any]]:
    """Yield the calls that are linked to a canvas or to its parts."""
    for one in (*canvas._inside, *Plan().but({"link": canvas._options.get("link")}).link):
        yield from (*one.signatures(), *_links_of(one))


def _called(canvas: Canvas[Any], after: Ends) -> Any:
    carrier = _carrier_of(canvas)
    if carrier is None:
        return Results((), None) if _is_list(canvas) else None
    draft = Draft(carrier, carrier.clock.now_ns())
    ends = canvas.lay(draft, after)
    draft.store()
    if isinstance(ends.shape, int):
        return carrier.result_type(ends.ids[ends.shape], carrier)
    return carrier.results_type(ends.ids, carrier, ends.shape)


def _is_list(canvas: Canvas[Any]) -> bool:
    """Whether the result is a list, because the canvas ends with a group."""
    return isinstance(canvas, Group) or (bool(canvas._inside) and _is_list(canvas._inside[-1]))


def _carrier_of(canvas: Canvas[Any]) -> Carrier | None:
    """The scheduler of the calls: that of their tasks, or the default one if all are shared tasks. None if empty."""
    tasks = [one.task for one in (*canvas.signatures(), *_links_of(canvas))]
    bound = next((task for task in tasks if task._scheduler is not None), None)
    if bound is not None:
        return bound.scheduler
    return tasks[0].scheduler if tasks else None
