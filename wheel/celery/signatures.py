"""Signatures: calls that have not been made yet, and the methods that all canvases share.

They differ from ours in one thing: set(), link() and link_error() change them, and what they return may be thrown away.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from typing import Any, ClassVar

from ..clock import as_datetime
from ..errors import InvalidValue
from ..ids import new_id
from ..results.many import Results
from ..tasks import canvas as core
from ..tasks.canvas import Canvas
from ..tasks.signature import given
from .current import the_app
from .result import GroupResult
from .running import eager
from .settings.call_plan import headers_in, limits_in
from .settings.options import call_options, priority_of

# ---- methods of all of them ------------------------------------------------------------------------------


def app_of(canvas: Canvas[Any]) -> Any:
    """The app of its first call."""
    for sig in canvas.signatures():
        return getattr(sig.task, "app", None) or sig.task.scheduler
    return the_app()


def several_it(value: Any) -> list[Any]:
    """A list of what may be one, several or None."""
    return [] if value is None else list(value) if isinstance(value, (list, tuple)) else [value]


def set_many(canvas: Any, **options: Any) -> Any:
    """Change the options; returns the canvas itself."""
    options.pop("immutable", None)
    said = call_options(options, app_of(canvas))
    if said:
        Canvas.alter(canvas, **said)
    return canvas


def set_one(sig: Any, immutable: bool | None = None, **options: Any) -> Any:
    """Change the options of the call; returns the signature itself."""
    said = call_options(options, app_of(sig))
    if said:
        sig.call = sig.call.options(**said)
    if immutable is not None:
        sig.immutable = immutable
    return sig


def link_it(canvas: Any, callback: Any) -> Any:
    """Call another one with the result; returns that one."""
    canvas.set(link=[*canvas._linked("link"), callback])
    return callback


def link_error_it(canvas: Any, errback: Any) -> Any:
    """Call another one if it fails; returns that one."""
    canvas.set(link_error=[*canvas._linked("link_error"), errback])
    return errback


def on_error_it(canvas: Any, errback: Any) -> Any:
    """Call another one if it fails; returns the canvas itself."""
    canvas.link_error(errback)
    return canvas


def apply_async_it(
    canvas: Any, args: Sequence[Any] | None = None, kwargs: Mapping[str, Any] | None = None, **options: Any
) -> Any:
    """Call the whole later, with Celery's options."""
    app = app_of(canvas)
    said = call_options(options, app)
    if eager.runs_here(app):
        return eager.canvas(canvas, *given(args, kwargs), **said)
    found = eager.thrown(app, Canvas.apply_async(canvas, args, kwargs, **said))
    return GroupResult((), app) if isinstance(found, Results) and not len(found) else found


def apply_it(
    canvas: Any, args: Sequence[Any] | None = None, kwargs: Mapping[str, Any] | None = None, **options: Any
) -> Any:
    """Run the whole now, in this thread; of the options, the headers are passed on."""
    return eager.canvas(canvas, *given(args, kwargs), headers=options.get("headers"))


def delay_it(canvas: Any, *args: Any, **kwargs: Any) -> Any:
    """Call the whole as soon as workers are free."""
    return canvas.apply_async(args, kwargs)


def clone_it(canvas: Any, *_: Any, **options: Any) -> Any:
    """Another one that is the same, with more options."""
    return copy(canvas).set(**options)


def reprcall_it(canvas: Any, *_: Any, **__: Any) -> str:
    """The calls as text."""
    return repr(canvas)


# ---- one call --------------------------------------------------------------------------------------------


class Signature(core.Signature[Any]):
    """A call of a task that has not been made yet: ``task.s(...)``."""

    chain_type: ClassVar[type[core.Chain[Any]]]
    set = set_one
    link = link_it
    link_error = link_error_it
    on_error = on_error_it
    delay = delay_it

    @property
    def name(self) -> str:
        """The task's name."""
        return self.task.name

    @property
    def options(self) -> dict[str, Any]:
        """The options that were said."""
        plan = self.call.plan
        extra = getattr(plan, "extra", None)
        expires = plan.expires if plan.expires_ms is None else as_datetime(plan.expires_ms)
        said = {
            "countdown": self.call.countdown,
            "eta": self.call.eta,
            "task_id": plan.task_id,
            "queue": plan.queue if plan.placed else None,
            "expires": expires,
            "priority": priority_of(plan.priority, app_of(self)) or None,
            "headers": headers_in(extra) or None,
            "time_limit": limits_in(extra).hard_s,
            "soft_time_limit": limits_in(extra).soft_s,
            "link": list(plan.link) or None,
            "link_error": list(plan.link_error) or None,
        }
        return {name: value for name, value in said.items() if value is not None}

    @property
    def id(self) -> str | None:
        """The id that was given by freeze() or set(task_id=...)."""
        return self.call.plan.task_id

    def __getitem__(self, name: str) -> Any:
        return self._told()[name]

    def keys(self) -> list[str]:
        """The keys of it as a dict, which signature() takes."""
        return list(self._told())

    def _told(self) -> dict[str, Any]:
        return {
            "task": self.task.name,
            "args": list(self.args),
            "kwargs": dict(self.kwargs),
            "options": self.options,
            "subtask_type": None,
            "immutable": self.immutable,
        }

    def __iter__(self) -> Any:
        return iter(self._told())

    @property
    def app(self) -> Any:
        """The app of its task."""
        return app_of(self)

    @property
    def type(self) -> Any:
        """The task."""
        return self.task

    subtask_type = None

    def get(self, name: str, default: Any = None) -> Any:
        """A value of it as a dict."""
        return self._told().get(name, default)

    def items(self) -> list[tuple[str, Any]]:
        """The items of it as a dict."""
        return list(self._told().items())

    def values(self) -> list[Any]:
        """The values of it as a dict."""
        return list(self._told().values())

    @classmethod
    def from_dict(cls, d: Mapping[str, Any], app: Any | None = None) -> Any:
        """The signature that a dict describes."""
        return signature(d, app=app)

    def partial(self, args: Any = None, kwargs: Any = None, **options: Any) -> Any:
        """Another one, with ``args`` before its own, ``kwargs`` added and options set."""
        return self.clone(args, kwargs).set(**options)

    def copy(self) -> Any:
        """Another one that is the same."""
        return self.clone()

    def replace(self, args: Any = None, kwargs: Any = None, options: Any = None) -> Any:
        """Another one, with other arguments or options."""
        positional, named = self.args if args is None else tuple(args), self.kwargs if kwargs is None else kwargs
        call = self.call if options is None else None
        return Signature(self.task, positional, named, call, immutable=self.immutable).set(**(options or {}))

    def set_immutable(self, immutable: bool) -> None:
        """Whether it gets the result of the call before."""
        self.immutable = immutable

    def reprcall(self, *args: Any, **kwargs: Any) -> str:
        """The call as text."""
        return repr(self.clone(args, kwargs))

    def AsyncResult(self, id: str) -> Any:
        """A handle to the job of that id."""
        return app_of(self).AsyncResult(id)

    def freeze(self, _id: str | None = None, **_: Any) -> Any:
        """Choose the id of the call now; returns the handle."""
        app = app_of(self)
        id = self.id or _id or new_id(app.clock.now_ms())
        set_one(self, task_id=id)
        return app.AsyncResult(id)

    def apply_async(self, args: Any = None, kwargs: Any = None, **options: Any) -> Any:
        """Call the task later, with ``args`` before the signature's own, and Celery's options."""
        app = app_of(self)
        said = call_options(options, app)
        if eager.runs_here(app):
            return eager.canvas(self, *given(args, kwargs), **said)
        return super().apply_async(args, kwargs, **said)

    def apply(self, args: Any = None, kwargs: Any = None, **options: Any) -> Any:
        """Run the task now, in this thread."""
        return eager.canvas(self, *given(args, kwargs), **call_options(options, app_of(self)))

    def _linked(self, name: str) -> list[Any]:
        return list(getattr(self.call.plan, name))


def signature(
    varies: Any, args: Any = None, kwargs: Any = None, options: Any = None, app: Any = None, **more: Any
) -> Any:
    """A call of a task that has not been made yet.

    Args:
        varies: the task, its name, a signature or a signature as a dict.
        args: the positional arguments.
        kwargs: the keyword arguments.
        options: of the call, a dict.
        app: whose task it is, if it is given by name.
        more: options, and ``immutable``.

    Raises:
        InvalidValue: it is none of these.
        NotRegistered: there is no task of that name here.
    """
    if isinstance(varies, Canvas):
        return varies
    if isinstance(varies, Mapping):
        said = {"args": None, "kwargs": None, "options": None, "immutable": False, **varies}
        return signature(said["task"], said["args"], said["kwargs"], said["options"], app, immutable=said["immutable"])
    immutable = more.pop("immutable", False)
    task = (app or the_app()).registry.get(varies) if isinstance(varies, str) else varies
    if not hasattr(task, "signature_type"):
        raise InvalidValue.of("signature", "of a task, its name, a signature or a dict", varies)
    made = Signature(task, tuple(args or ()), dict(kwargs or {}), immutable=immutable)
    return made.set(**{**(options or {}), **more})


subtask = signature
maybe_signature = signature
