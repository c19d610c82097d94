"""Options of tasks and calls: what they may be, and the Plan that they make.

All that can be decided when an option is set is decided then, so a call has only to read its plan. None stands for
"not given", as Celery's users know it, and an option that nobody knows is refused: one that is silently ignored is
found out in production.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Literal, TypedDict
from uuid import UUID

from ...clock import deadline_ms, instant_ms
from ...contract import OnConflict
from ...errors import InvalidValue
from ...ids import new_id, normal_id
from ...job import DEFAULT_MAX_CRASHES, DEFAULT_QUEUE, Bound, Job, bare
from ...payload import comes_back, encode
from .limit import Limit, bounds_of, checked_concurrency, checked_limits, checked_rate
from .times import Seconds, due_ms, refuse_too_late, span

if TYPE_CHECKING:
    from ..canvas import Canvas

Key = str | tuple[str | int, ...]


class Options(TypedDict, total=False):
    """Of a call, and the defaults for all calls of a task. Lengths of time are seconds or a timedelta."""

    countdown: Seconds | None
    """The job is due so long after the call."""
    expires: Seconds | datetime | None
    """A job not begun so long after the call, or by that instant, ends unrun."""
    queue: str | None
    priority: int | None
    """From -100 to 100, 0 by default; among the jobs that are due higher ones run first."""
    key: Key | None
    """Unique among unfinished jobs, text or a tuple such as ("cart", 7); what happens to the second job,
    ``on_conflict`` says."""
    on_conflict: OnConflict | None
    """"keep" the first (the default), "replace" it, or "raise" DuplicateJob."""
    max_wait: Seconds | None
    """With "replace": however often it is replaced, due so long after the first call at the latest."""
    misfire: Literal["run", "skip", "coalesce", "each"] | None
    """What becomes of a job that was due while nobody could run it: "run" it late (the default), or "skip" it. Of a
    schedule: "coalesce" what was missed into one run (the default), "skip" it, or run "each"."""
    misfire_grace_time: Seconds | None
    """With "skip": how late it may still be run, 60 s by default. Given alone it means "skip"."""
    acks_early: bool | None
    """At most once: a job whose worker died is not run again."""
    max_crashes: int | None
    """After so many deaths of its worker, 3 by default, the job is set aside as failed."""
    result_ttl: Seconds | None
    """How long the finished job and its result are kept."""
    ignore_result: bool | None
    """What the function returns is not stored, and may be anything; who asks for it is given None."""
    rate_limit: str | float | None
    """How many of the task's jobs may start, in all processes together: "10/s", "10/m", "10/h", "10/d", or a number a
    second. Starts are spaced evenly."""
    concurrency: int | None
    """How many of them may run at once, in all processes together."""
    limit_key: Key | None
    """Of ``rate_limit`` and ``concurrency``: only jobs of the task with the same key count together."""
    limits: Limit | Sequence[Limit] | None
    """Limits that several tasks share; see Limit."""


class CallOptions(Options, total=False):
    """Of one call."""

    link: Canvas[Any] | Sequence[Canvas[Any]] | None
    """A signature, chain, group or chord, or several of them: called with the result when the job has succeeded."""
    link_error: Canvas[Any] | Sequence[Canvas[Any]] | None
    """Called with the job's id when it has failed."""

    eta: datetime | None
    """The job is due at that instant, an aware datetime; not with countdown."""
    task_id: str | UUID | None
    """The id of the job. To add the same id again is to add nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How calls are to be carried: all options but the time, checked."""

    expires: Seconds | None = None
    expires_ms: int | None = None
    task_id: str | None = None
    queue: str = DEFAULT_QUEUE
    placed: bool = False
    """Whether the queue was said; if not, the scheduler's task_routes may say another."""
    priority: int = 0
    key: str | None = None
    on_conflict: OnConflict = "keep"
    max_wait: Seconds | None = None
    max_crashes: int = DEFAULT_MAX_CRASHES
    result_ttl_ms: int | None = None
    """None for the scheduler's."""
    ignore_result: bool = False
    skips: bool = False
    grace_ms: int = 60_000
    """How late a job may be run that ``skips``."""
    rate_limit: str | float | None = None
    concurrency: int | None = None
    limit_key: str | None = None
    limits: tuple[Bound, ...] = ()
    """The shared ones."""
    limited: bool = False
    """Whether there is any limit."""
    link: tuple[Any, ...] = ()
    link_error: tuple[Any, ...] = ()
    fresh: bool = True
    """No id and no key of the caller's: the store need not look for a job that stands for this one already."""
    said: frozenset[str] = frozenset()
    """Which of the options that mean something with another one only were said of the call."""

    def but(self, options: Mapping[str, Any]) -> Plan:
        """The plan with these options (those of CallOptions but countdown and eta) in the place of its own.

        Raises:
            InvalidValue: an option is not known, or breaks its rule.
        """
        changes: dict[str, Any] = {}
        for name, value in options.items():
            rule = _RULES.get(name)
            if rule is None:
                raise InvalidValue.of("option", f"one of {', '.join(sorted(CALL))}", name)
            if value is not None:
                changes.update(rule(value))
        if not changes:
            return self
        if options.get("acks_early") is not None and options.get("max_crashes") is not None:
            raise InvalidValue.of("max_crashes", "absent when acks_early is given", options["max_crashes"])
        if "grace_ms" in changes and not changes.setdefault("skips", True):
            raise InvalidValue.of("misfire_grace_time", 'absent when misfire is "run"', options["misfire_grace_time"])
        ours = changes.get("task_id", self.task_id) is None and changes.get("key", self.key) is None
        said = self.said | (_IDLE.keys() & {name for name, value in options.items() if value is not None})
        return replace(self, fresh=ours, said=said, **changes)

    def refuse_idle(self) -> None:
        """Raise InvalidValue if an option was said that changes nothing, for want of another one."""
        for name in sorted(self.said):
            needed, is_given = _IDLE[name]
            if not is_given(self):
                raise InvalidValue.of(
                    name, f"given with {needed}, without which it changes nothing", getattr(self, name)
                )

    def job(
        self,
        task: str,
        payload: str,
        now_ns: int,
        result_ttl_ms: int,
        countdown: Seconds | None = None,
        eta: datetime | None = None,
    ) -> Job:
        """A call as a Job, due now if neither countdown nor eta is given.

        Args:
            task: the task's name.
            payload: the arguments, as encode_call makes them.
            now_ns: the present, in nanoseconds since the epoch.
            result_ttl_ms: how long to keep the result if the plan does not say, in milliseconds.
            countdown: seconds from now, or a timedelta.
            eta: an aware datetime.

        Raises:
            InvalidValue: it could never run, for it expires before it is due.
        """
        now_ms = now_ns // 1_000_000
        values = (
            self.task_id or new_id(now_ms),
            task,
            now_ms if countdown is None and eta is None else due_ms(now_ns, countdown, eta),
            payload,
            now_ms,
            self.queue,
            self.priority,
            self.key,
            self.expires_ms if self.expires is None else deadline_ms(now_ns, self.expires),
            self.max_crashes,
            result_ttl_ms if self.result_ttl_ms is None else self.result_ttl_ms,
            *_UNRUN,
        )
        job = bare(Job, values)
        if job.expires_ms is not None:
            refuse_too_late(max(job.due_ms, now_ms), job.expires_ms)
        if self.skips:
            job = job._replace(grace_ms=self.grace_ms)
        if self.ignore_result:
            job = job._replace(ignore_result=True)
        if self.limited:
            job = job._replace(limits=self._bounds(task))
        if self.max_wait is not None:
            job = job._replace(latest_ms=max(job.due_ms, deadline_ms(now_ns, self.max_wait)))
        return job

    def _bounds(self, task: str) -> tuple[Bound, ...]:
        name = "task:" + task.replace(" ", "\u00a0")  # a blank is what the key follows
        if self.limit_key is not None:
            name += f" {self.limit_key}"
        return (*bounds_of(name, self.rate_limit, self.concurrency), *self.limits)

    def jobs(
        self,
        task: str,
        payloads: Sequence[str],
        now_ns: int,
        result_ttl_ms: int,
        countdown: Seconds | None = None,
        eta: datetime | None = None,
    ) -> list[Job]:
        """Many calls as Jobs, alike but for the arguments and the id; see ``job``."""
        if not payloads:
            return []
        first = self.job(task, payloads[0], now_ns, result_ttl_ms, countdown, eta)
        due, now_ms, rest = first.due_ms, first.created_ms, first[4:]
        ids = [self.task_id or new_id(now_ms) for _ in payloads[1:]]
        return [
            first,
            *[bare(Job, (id, task, due, payload, *rest)) for id, payload in zip(ids, payloads[1:], strict=True)],
        ]


_UNRUN: Final = Job(id="", task="", due_ms=0)[Job._fields.index("state") :]
"""What stands in each new job: nothing has happened to it yet."""


# ---- the rule of each option: value -> the fields of Plan that it sets ------------------------------------

SCHEDULE_KEY: Final = "schedule:"
"""With it begin the keys of the next fires of schedules."""
_QUEUE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@/+-]{0,99}")
_PRIORITY_MOST: Final = 100
_KEY_MOST: Final = 200
_CRASHES_MOST: Final = 1_000_000
_CONFLICTS: Final = ("keep", "replace", "raise")


def _expires(value: Any) -> dict[str, Any]:
    if isinstance(value, datetime):
        return {"expires_ms": instant_ms(value, "expires"), "expires": None}
    return {"expires": span("expires", value, least=1), "expires_ms": None}


def _task_id(value: Any) -> dict[str, Any]:
    return {"task_id": normal_id(value)}


def _queue(value: Any) -> dict[str, Any]:
    return {"queue": checked_queue(value), "placed": True}


def checked_queue(value: Any) -> str:
    """The name of a queue.

    Raises:
        InvalidValue: it breaks its rule.
    """
    if type(value) is not str or not _QUEUE.fullmatch(value):
        raise InvalidValue.of("queue", "1 to 100 letters, digits and ._:@/+-, the first a letter or digit", value)
    return value


def _priority(value: Any) -> dict[str, Any]:
    if type(value) is not int or not -_PRIORITY_MOST <= value <= _PRIORITY_MOST:
        raise InvalidValue.of("priority", f"a whole number from {-_PRIORITY_MOST} to {_PRIORITY_MOST}", value)
    return {"priority": value}


def _key(value: Any) -> dict[str, Any]:
    text = key_text(value)
    if text.startswith(SCHEDULE_KEY):
        raise InvalidValue.of("key", f"one that does not begin with {SCHEDULE_KEY!r}, as those of schedules do", value)
    return {"key": text}


def key_text(value: Key, name: str = "key") -> str:
    """A key as it is stored: text as it is, a tuple as JSON. ``name``: what to call it in an error.

    >>> key_text(("cart", 7))
    '["cart",7]'
    """
    text = value
    if type(value) is tuple and value and all(type(part) in (str, int) for part in value):
        text = encode(list(value), name)
    if type(text) is not str or not 1 <= len(text) <= _KEY_MOST or not comes_back(text):
        raise InvalidValue.of(name, f"text of 1 to {_KEY_MOST} characters, or a tuple of text and whole numbers", value)
    return text


def _max_wait(value: Any) -> dict[str, Any]:
    return {"max_wait": span("max_wait", value), "on_conflict": "replace"}


def _on_conflict(value: Any) -> dict[str, Any]:
    if type(value) is not str or value not in _CONFLICTS:
        raise InvalidValue.of("on_conflict", '"keep", "replace" or "raise"', value)
    return {"on_conflict": value}


def _linked(name: str) -> Callable[[Any], dict[str, Any]]:
    def rule(value: Any) -> dict[str, Any]:
        found = tuple(value) if isinstance(value, (list, tuple)) else (value,)
        if not all(hasattr(one, "lay") for one in found):
            raise InvalidValue.of(name, "a signature, as task.s(...) gives it, or a list of them", value)
        return {name: found}

    return rule


def _misfire(value: Any) -> dict[str, Any]:
    if value not in ("run", "skip"):
        raise InvalidValue.of("misfire", '"run" or "skip"', value)
    return {"skips": value == "skip"}


def _misfire_grace_time(value: Any) -> dict[str, Any]:
    return {"grace_ms": deadline_ms(0, span("misfire_grace_time", value))}


def _ignore_result(value: Any) -> dict[str, Any]:
    if type(value) is not bool:
        raise InvalidValue.of("ignore_result", "True or False", value)
    return {"ignore_result": value}


def _acks_early(value: Any) -> dict[str, Any]:
    if type(value) is not bool:
        raise InvalidValue.of("acks_early", "True or False", value)
    return {"max_crashes": 1 if value else DEFAULT_MAX_CRASHES}


def _max_crashes(value: Any) -> dict[str, Any]:
    if type(value) is not int or not 1 <= value <= _CRASHES_MOST:
        raise InvalidValue.of("max_crashes", f"a whole number from 1 to {_CRASHES_MOST}", value)
    return {"max_crashes": value}


def _result_ttl(value: Any) -> dict[str, Any]:
    return {"result_ttl_ms": deadline_ms(0, span("result_ttl", value))}


def _rate_limit(value: Any) -> dict[str, Any]:
    checked_rate(value)
    return {"rate_limit": value, "limited": True}


def _concurrency(value: Any) -> dict[str, Any]:
    return {"concurrency": checked_concurrency(value), "limited": True}


def _limits(value: Any) -> dict[str, Any]:
    return {"limits": checked_limits(value), "limited": True}


def _limit_key(value: Any) -> dict[str, Any]:
    return {"limit_key": key_text(value, "limit_key")}


_RULES: Final[dict[str, Callable[[Any], dict[str, Any]]]] = {
    "expires": _expires,
    "task_id": _task_id,
    "queue": _queue,
    "priority": _priority,
    "key": _key,
    "on_conflict": _on_conflict,
    "max_wait": _max_wait,
    "misfire_grace_time": _misfire_grace_time,
    "misfire": _misfire,
    "acks_early": _acks_early,
    "max_crashes": _max_crashes,
    "result_ttl": _result_ttl,
    "ignore_result": _ignore_result,
    "rate_limit": _rate_limit,
    "concurrency": _concurrency,
    "limit_key": _limit_key,
    "limits": _limits,
    "link": _linked("link"),
    "link_error": _linked("link_error"),
}


_IDLE: Final[dict[str, tuple[str, Callable[[Plan], bool]]]] = {
    "on_conflict": ("key", lambda plan: plan.key is not None),
    "max_wait": ("key", lambda plan: plan.key is not None),
    "limit_key": ("rate_limit or concurrency", lambda plan: plan.limited),
}
"""What changes nothing without another option: (that one, whether it is given)."""
CALL: Final = frozenset({"countdown", "eta", *_RULES})
"""What may be said of one call."""
STANDING: Final = CALL - {"eta", "task_id", "link", "link_error"}
"""What may be said of all calls of a task."""
