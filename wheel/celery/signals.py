"""Signals: Celery's names for events. ``@task_prerun.connect`` and ``task_prerun.connect(function, sender=...)``.

A receiver is called with ``sender`` and what Celery passes, all as keyword arguments. Each signal is told of every
Celery app of the process. Those that have no meaning without a broker or beat refuse receivers, and say why.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Final, TypeVar
from weakref import WeakMethod, ref

from ..errors import InvalidValue
from ..safety.calm import CalmLogger, passes

F = TypeVar("F", bound=Callable[..., Any])

_LOG: Final = CalmLogger("hourwheel.celery")


class Signal:
    """An event to which functions can be connected."""

    def __init__(self, name: str, *, refused: str = "") -> None:
        """``refused``: why nothing can be connected; "" if it can."""
        self.name: Final = name
        self._refused = refused
        self.receivers: list[tuple[object, Any, Callable[[], Callable[..., Any] | None]]] = []
        """(identity, sender, what gives the receiver or None if it is gone)."""

    def __repr__(self) -> str:
        return f"<Signal: {self.name}>"

    def connect(self, *args: Any, sender: Any = None, weak: bool = True, dispatch_uid: object = None, **_: Any) -> Any:
        """Connect a function; also as a decorator, with or without arguments.

        Args:
            args: the function; none in a decorator with arguments.
            sender: call it only for this sender: an app, a task, or a task's name.
            weak: whether the connection ends when the function is gone.
            dispatch_uid: what is connected with the same one before is replaced.

        Raises:
            InvalidValue: it is not a function that takes keyword arguments, or the signal is never sent here.
        """
        if not args or args[0] is None:
            return lambda fn: self._connect(fn, sender, weak=weak, uid=dispatch_uid)
        return self._connect(args[0], sender, weak=weak, uid=dispatch_uid)

    def _connect(self, fn: F, sender: Any, *, weak: bool, uid: object) -> F:
        if self._refused:
            raise InvalidValue(f"{self.name} is never sent here: {self._refused}")
        if not callable(fn) or not _takes_keywords(fn):
            raise InvalidValue.of("receiver", "a function that takes keyword arguments (**kwargs)", fn)
        identity = _identity(fn) if uid is None else uid
        self.receivers = [one for one in self.receivers if one[0] != identity or one[1] != sender]
        self.receivers.append((identity, sender, _weakly(fn) if weak else lambda: fn))
        return fn

    def disconnect(
        self, receiver: Any = None, sender: Any = None, weak: Any = None, dispatch_uid: object = None
    ) -> bool:
        """Disconnect a function; returns whether it was connected."""
        identity = _identity(receiver) if dispatch_uid is None else dispatch_uid
        before = len(self.receivers)
        self.receivers = [one for one in self.receivers if one[0] != identity or (sender and one[1] != sender)]
        return len(self.receivers) < before

    def has_listeners(self, sender: Any = None) -> bool:
        """Whether anything is connected."""
        return any(_meant(wanted, sender) for _, wanted, _ in self.receivers)

    def send(self, sender: Any = None, **named: Any) -> list[tuple[Any, Any]]:
        """Call the receivers; returns each with what it returned, or the exception that it raised."""
        answers = []
        for _, wanted, given in self.receivers:
            receiver = given()
            if receiver is None or not _meant(wanted, sender):
                continue
            try:
                answers.append((receiver, receiver(signal=self, sender=sender, **named)))
            except Exception as error:
                if passes(error):
                    raise
                _LOG.exception("Signal handler %r raised; the exception is ignored", receiver)
                answers.append((receiver, error))
        return answers

    send_robust = send


def _identity(fn: Any) -> object:
    if inspect.ismethod(fn):
        return id(fn.__self__), id(fn.__func__)
    return id(fn)


def _weakly(fn: Any) -> Callable[[], Any]:
    try:
        return WeakMethod(fn) if inspect.ismethod(fn) else ref(fn)
    except TypeError:  # it cannot be referred to weakly
        return lambda: fn


def _takes_keywords(fn: Any) -> bool:
    try:
        found = inspect.signature(fn).parameters.values()
    except (TypeError, ValueError):
        return True
    return any(one.kind is inspect.Parameter.VAR_KEYWORD for one in found)


def _meant(wanted: Any, sender: Any) -> bool:
    if wanted is None or wanted is sender:
        return True
    return isinstance(wanted, str) and wanted == getattr(sender, "name", sender)


_BEAT: Final = "there is no beat; every worker looks after the schedules: connect worker_init"
_GREEN: Final = "connect worker_process_init, which greenlet pools send as well"

before_task_publish = Signal("before_task_publish")
after_task_publish = Signal("after_task_publish")
task_sent = after_task_publish
task_received = Signal("task_received")
task_prerun = Signal("task_prerun")
task_postrun = Signal("task_postrun")
task_success = Signal("task_success")
task_retry = Signal("task_retry")
task_failure = Signal("task_failure")
task_revoked = Signal("task_revoked")
task_internal_error = Signal("task_internal_error", refused="a fault of ours puts the job off; see the log")
task_rejected = Signal("task_rejected", refused="there are no messages that a worker could not read")
task_unknown = Signal("task_unknown", refused="a job of an unknown task waits for a worker that knows it")
celeryd_init = Signal("celeryd_init")
celeryd_after_setup = Signal("celeryd_after_setup")
worker_init = Signal("worker_init")
worker_ready = Signal("worker_ready")
worker_process_init = Signal("worker_process_init")
worker_process_shutdown = Signal("worker_process_shutdown")
worker_shutdown = Signal("worker_shutdown")
worker_shutting_down = Signal("worker_shutting_down", refused="connect worker_shutdown")
worker_before_create_process = Signal("worker_before_create_process", refused="connect worker_process_init")
import_modules = Signal("import_modules", refused="pass include= to Celery(), or import the modules")
setup_logging = Signal("setup_logging")
after_setup_logger = Signal("after_setup_logger")
after_setup_task_logger = Signal("after_setup_task_logger")
heartbeat_sent = Signal("heartbeat_sent", refused="workers of one machine need no heartbeat")
beat_init = Signal("beat_init", refused=_BEAT)
beat_embedded_init = Signal("beat_embedded_init", refused=_BEAT)
eventlet_pool_started = Signal("eventlet_pool_started", refused=_GREEN)
eventlet_pool_preshutdown = Signal("eventlet_pool_preshutdown", refused=_GREEN)
eventlet_pool_postshutdown = Signal("eventlet_pool_postshutdown", refused=_GREEN)
eventlet_pool_apply = Signal("eventlet_pool_apply", refused=_GREEN)
user_preload_options = Signal("user_preload_options", refused="the command line has options of its own only")
