"""Options: Celery's, of tasks and of calls, as ours; or why one cannot be honoured and what to do instead."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from typing import Any, Final

from ...errors import InvalidValue
from ...tasks.options.plan import CallOptions
from ...tasks.options.task_options import TaskOptions
from .call_plan import checked_headers

NEVER: Final = datetime(9999, 12, 30, tzinfo=UTC)
"""When a job is due that is cancelled at once: if this process dies in between, the job still does not run."""
_OURS: Final = frozenset(TaskOptions.__annotations__)
_OF_CALLS: Final = frozenset(CallOptions.__annotations__)

_BROKER: Final = "there is no broker; queue= says where a job goes"
_JSON: Final = "arguments and results are strict JSON; pickle is never read"
_REFUSED: Final[Mapping[str, str]] = {
    "exchange": _BROKER,
    "delivery_mode": "every job is stored durably",
    "compression": "jobs are kept as text that a person can read",
    "chord": "write chord(header, body)",
    "group_id": "write group(...)",
    "reply_to": _BROKER,
    "reply_queue": _BROKER,
    "root_id": "it follows from the chain",
    "parent_id": "it follows from the chain",
    "shadow": "a job is shown under its task's name",
}
"""What a call or task cannot say, unless it says nothing (None), and what to do instead."""
_TASKS_REFUSED: Final[Mapping[str, str]] = {"headers": "they are a call's: apply_async(headers=...)"}
_IDLE: Final = frozenset(
    "connection producer publisher retry retry_policy add_to_parent router mandatory immediate route_name argsrepr "
    "kwargsrepr replaced_task_nesting".split()
)
"""What says how a message gets to a broker: nothing is left to do here."""
_PLAIN: Final = frozenset(
    "track_started throws typing serializer trail send_events shared lazy store_errors_even_if_ignored "
    "store_eager_result acks_on_failure_or_timeout reject_on_worker_lost".split()
)
"""Options of a task that are kept as its attributes."""


def _refuse(options: Mapping[str, Any], rules: Mapping[str, str]) -> None:
    wrong = [f"{name}: {rules[name]}" for name, value in options.items() if name in rules and value is not None]
    if wrong:
        raise InvalidValue("; ".join(wrong))


# ---- calls -----------------------------------------------------------------------------------------------


def call_options(options: Mapping[str, Any], app: Any) -> dict[str, Any]:
    """The options of a call, of apply_async() and of signatures, as ours.

    Raises:
        InvalidValue: one of them cannot be honoured.
    """
    if not options:
        return {}
    _refuse(options, _REFUSED)
    _refuse_pickle(options)
    found = {name: value for name, value in options.items() if name in _OF_CALLS and value is not None}
    for name in options:
        if name not in _OF_CALLS and name not in _IDLE and name not in _REFUSED and name not in _MADE:
            raise InvalidValue.of("option", f"one of apply_async's{_near(name, {*_OF_CALLS, *_MADE})}", name)
    for name, make in _MADE.items():
        if options.get(name) is not None:
            found.update(make(options[name], app))
    return found


def _eta(value: Any, app: Any) -> dict[str, Any]:
    return {"eta": _aware(value, app)}


def _aware(value: Any, app: Any) -> Any:
    """A time without a zone is one of the app's, as in Celery."""
    return value.replace(tzinfo=app.timezone) if isinstance(value, datetime) and value.tzinfo is None else value


def _countdown(value: Any, _: Any) -> dict[str, Any]:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return {"countdown": value}
    return {"countdown": max(0, value)}  # in Celery a time that is over means now


def _expires(value: Any, app: Any) -> dict[str, Any]:
    return {"expires": _aware(value, app)}


def priority_of(value: Any, app: Any) -> Any:
    """A priority of Celery's as ours, and the other way round: with Redis the lowest number is first."""
    lowest_first = str(app.conf.broker_url or "").startswith(("redis", "rediss", "sentinel", "memory"))
    return -value if lowest_first and type(value) is int else value


_MADE: Final[Mapping[str, Callable[[Any, Any], dict[str, Any]]]] = {
    "countdown": _countdown,
    "eta": _eta,
    "expires": _expires,
    "headers": lambda value, _: {"headers": checked_headers(value)},
    "time_limit": lambda value, _: {"time_limit": value},
    "soft_time_limit": lambda value, _: {"soft_time_limit": value},
    "priority": lambda value, app: {"priority": priority_of(value, app)},
    "routing_key": lambda value, _: {"queue": value},
    "serializer": lambda *_: {},
    "queue": lambda value, _: {"queue": getattr(value, "name", value)},
    "link": lambda value, _: {"link": value},
    "link_error": lambda value, _: {"link_error": value},
}


def _refuse_pickle(options: Mapping[str, Any]) -> None:
    if options.get("serializer") not in (None, "json"):
        raise InvalidValue.of("serializer", f'"json": {_JSON}', options["serializer"])


def _near(name: str, known: set[str]) -> str:
    near = get_close_matches(name, known, n=1, cutoff=0.75)
    return f"; did you mean {near[0]}?" if near else ""


# ---- tasks -----------------------------------------------------------------------------------------------


def task_options(
    base: type[Any], options: Mapping[str, Any], app: Any | None, root: type[Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The options of a task: (ours, attributes). Those of its class are the defaults.

    As in Celery, an option of another name becomes an attribute; but one that is nearly an option is refused.

    Raises:
        InvalidValue: one of them cannot be honoured.
    """
    of_class = _of_class(base, root)
    given = {**of_class, **{name: value for name, value in options.items() if name not in ("base", "bind")}}
    _refuse(given, {**_REFUSED, **_TASKS_REFUSED})
    _refuse_pickle(given)
    ours = {name: value for name, value in given.items() if name in _OURS}
    if given.get("acks_late") is False and "acks_early" not in given:
        ours["acks_early"] = True
    if "routing_key" in given and "queue" not in given:
        ours["queue"] = given["routing_key"]
    if app is not None and type(ours.get("priority")) is int:
        ours["priority"] = priority_of(ours["priority"], app)
    kept = {}
    read = _BOTH | (of_class.keys() - {"countdown", "limits"})
    for name, value in given.items():
        if name in _OURS and name not in read:
            continue
        if name not in _PLAIN and name not in read and name not in _SAID and (near := _near(name, {*_OURS, *_PLAIN})):
            raise InvalidValue.of("option", f"one of @app.task's{near}", name)
        kept[name] = value
    return ours, kept


_BOTH: Final = frozenset({"ignore_result", "rate_limit", "time_limit", "soft_time_limit", "priority", "expires"})
"""Options that can also be read as attributes."""
_SAID: Final = frozenset({"acks_late", "routing_key", *_REFUSED, *_TASKS_REFUSED, *_IDLE})


def _of_class(base: type[Any], root: type[Any]) -> dict[str, Any]:
    """What the classes above ``base``, up to the room's own, say as attributes."""
    classes = reversed(base.__mro__[: base.__mro__.index(root)])
    found = {name: value for cls in classes for name, value in vars(cls).items() if name in {*_OURS, *_PLAIN, *_SAID}}
    found.pop("name", None)  # of the class, not of each function
    return found


def is_over(expires: Any, app: Any) -> bool:
    """Whether a call would have expired before it is made: Celery revokes it then, and refuses nothing."""
    if isinstance(expires, datetime):
        return bool(expires.timestamp() * 1000 <= app.clock.now_ms())
    seconds = expires.total_seconds() if isinstance(expires, timedelta) else expires
    return isinstance(seconds, (int, float)) and seconds <= 0
