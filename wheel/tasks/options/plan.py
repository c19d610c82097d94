"""The options of calls, their rules, and the Plan that they make.

Options are checked when they are set, so a call only reads its plan. As in Celery, None means "not given". Unknown
options are refused: if they were ignored, you would notice a typo only in production.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Literal, TypedDict
from uuid import UUID

from ...clock import MAX_MS, deadline_ms, instant_ms
from ...contract import OnConflict
from ...errors import InvalidValue
from ...ids import new_id, normal_id
from ...job import DEFAULT_MAX_CRASHES, DEFAULT_QUEUE, After, Bound, Job, bare
from ...payload import comes_back, encode
from .existing import Existing, existing_ids
from .limit import Limit, bounds_of, checked_concurrency, checked_limits, checked_rate
from .times import Seconds, due_ms, refuse_too_late, span

if TYPE_CHECKING:
    from ..canvas import Canvas

Key = str | tuple[str | int, ...]


class Options(TypedDict, total=False):
    """The options of a call; also the defaults for all calls of a task. Durations are seconds or a timedelta."""

    countdown: Seconds | None
    """How long after the call the job is due."""
    expires: Seconds | datetime | None
    """When the job expires: it is not started later than this. A duration counts from the call."""
    queue: str | None
    priority: int | None
    """From -100 to 100, 0 by default. Of the jobs that are due, those with a higher priority run first."""
    key: Key | None
    """Unique among unfinished jobs: text, or a tuple such as ("cart", 7). ``on_conflict`` says what happens to a second
    job with the key."""
    on_conflict: OnConflict | None
    """"keep" the first job (the default), "replace" it, or "raise" DuplicateJob."""
    max_wait: Seconds | None
    """With "replace": the job is due this long after the first call at the latest, however often it is replaced."""
    misfire: Literal["run", "skip", "coalesce", "each"] | None
    """What to do with a job that was due while no worker could run it: "run" it late (the default) or "skip" it. For a
    schedule: "coalesce" missed fires into one run (the default), "skip" them, or run "each"."""
    misfire_grace_time: Seconds | None
    """With "skip": how late the job may still run; 60 s by default. Without ``misfire`` it implies "skip"."""
    acks_early: bool | None
    """At most once: do not run a job again if its worker died."""
    max_crashes: int | None
    """Set the job aside as failed after its worker has died this many times; 3 by default."""
    result_ttl: Seconds | None
    """How long to keep the finished job and its result."""
    ignore_result: bool | None
    """Do not store what the function returns. It need not be JSON then, and the result is None."""
    rate_limit: str | float | None
    """How many of the task's jobs may start, in all processes together: "10/s", "10/m", "10/h", "10/d", or a number per
    second. Starts are spaced evenly."""
    concurrency: int | None
    """How many of the task's jobs may run at once, in all processes together."""
    limit_key: Key | None
    """For ``rate_limit`` and ``concurrency``: only jobs of the task with the same key count together."""
    limits: Limit | Sequence[Limit] | None
    """Limits that several tasks share; see Limit."""


class CallOptions(Options, total=False):
    """The options of one call."""

    link: Canvas[Any] | Sequence[Canvas[Any]] | None
    """A signature, chain, group or chord, or a list of them, to call with the result when the job has succeeded."""
    link_error: Canvas[Any] | Sequence[Canvas[Any]] | None
    """The same, to call with the job's id when it has failed."""

    after: Existing | Iterable[Existing] | None
    """One or more jobs that must have succeeded before this one may run: their results or ids. ``countdown`` counts
    from the end of the last. If one of them does not succeed, this one does not run, as in a chain."""
    even_if: Literal["failed"] | None
    """With ``after``: run also if one of the jobs failed, was cancelled or expired."""
    eta: datetime | None
    """When the job is due, an aware datetime. Not together with countdown or after."""
    task_id: str | UUID | None
    """The id of the job. If the store already has a job of this id, none is added."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The checked options of calls, except countdown and eta."""

    expires: Seconds | None = None
    expires_ms: int | None = None
    task_id: str | None = None
    queue: str = DEFAULT_QUEUE
    placed: bool = False
    """Whether the queue was set; if not, the scheduler's task_routes apply."""
    priority: int = 0
    key: str | None = None
    on_conflict: OnConflict = "keep"
    max_wait: Seconds | None = None
    max_crashes: int = DEFAULT_MAX_CRASHES
    result_ttl_ms: int | None = None
    """None for the scheduler's default."""
    ignore_result: bool = False
    skips: bool = False
    grace_ms: int = 60_000
    """With ``skips``: how late a job may run."""
    rate_limit: str | float | None = None
    concurrency: int | None = None
    limit_key: str | None = None
    limits: tuple[Bound, ...] = ()
    """The shared limits."""
    limited: bool = False
    """Whether there are limits of any kind."""
    after: tuple[str, ...] | None = None
    """The ids of the jobs to wait for."""
    need: str = "succeeded"
    """How they must have ended; see job.After."""
    link: tuple[Any, ...] = ()
    link_error: tuple[Any, ...] = ()
    fresh: bool = True
    """Whether the caller chose neither id nor key, nor jobs to wait for: the store need not look for any job."""
    said: frozenset[str] = frozenset()
    """The options of the call that have an effect only together with another one."""

    def but(self, options: Mapping[str, Any]) -> Plan:
        """Return the plan with these options changed (those of CallOptions except countdown and eta)."""
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
            raise InvalidValue("pass acks_early or max_crashes, not both")
        if "grace_ms" in changes and not changes.setdefault("skips", True):
            raise InvalidValue('misfire_grace_time must be left out if misfire is "run"')
        ours = all(changes.get(name, getattr(self, name)) is None for name in ("task_id", "key", "after"))
        said = self.said | (_IDLE.keys() & {name for name, value in options.items() if value is not None})
        return replace(self, fresh=ours, said=said, **changes)

    def refuse_idle(self) -> None:
        """Raise InvalidValue if an option has no effect because another one is missing."""
        for name in sorted(self.said):
            needed, is_given = _IDLE[name]
            if not is_given(self):
                raise InvalidValue(f"{name} has no effect without {needed}")

    def job(
        self,
        task: str,
        payload: str,
        now_ns: int,
        result_ttl_ms: int,
        countdown: Seconds | None = None,
        eta: datetime | None = None,
    ) -> Job:
        """Return a call as a Job, which is due now if neither countdown nor eta is given.

        ``payload`` is from encode_call, and ``result_ttl_ms`` applies if the plan has none of its own.

        Raises:
            InvalidValue: the job would expire before it is due, or waits for jobs and has an ``eta`` or ``max_wait``.
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
        return self._waiting(job, eta) if self.after else job

    def _waiting(self, job: Job, eta: datetime | None) -> Job:
        """The job, which is due when those of ``after`` have ended."""
        if eta is not None:
            raise InvalidValue(
                "pass after or eta, not both: countdown counts from the end of the jobs that it waits for"
            )
        if self.max_wait is not None:
            raise InvalidValue("pass after or max_wait, not both: the job would be due before the others have ended")
        assert self.after is not None
        after = After(self.after, len(self.after), self.need, "nothing", job.due_ms - job.created_ms)
        return job._replace(due_ms=MAX_MS, after=after)

    def _bounds(self, task: str) -> tuple[Bound, ...]:
        name = "task:" + task.replace(" ", "\u00a0")  # a blank separates the key
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
        """Return many calls as Jobs, which differ only in arguments and id; see ``job``."""
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
"""The remaining fields of a new job."""


# ---- the rule of each option: value -> the fields of Plan that it sets ------------------------------------

SCHEDULE_KEY: Final = "schedule:"
"""The prefix of the keys of schedules' fires."""
_QUEUE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@/+-]{0,99}")
_PRIORITY_MOST: Final = 100
_KEY_MOST: Final = 200
_CRASHES_MOST: Final = 1_000_000
_CONFLICTS: Final = ("keep", "replace", "raise")


def _expires(value: Any) -> dict[str, Any]:
    if isinstance(value, datetime):
        return {"expires_ms": instant_ms(value, "expires"), "expires": None}
    return {"expires": span("expires", value, least=1), "expires_ms": None}


def checked_queue(value: Any) -> str:
    """Return the name of a queue if it is valid."""
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
        raise InvalidValue.of("key", f"one that does not start with {SCHEDULE_KEY!r}, which is reserved", value)
    return {"key": text}


def key_text(value: Key, name: str = "key") -> str:
    """Return a key as text: a tuple is encoded as JSON. ``name``: what to call it in an error message.

    >>> key_text(("cart", 7))
    '["cart",7]'
    """
    text = value
    if type(value) is tuple and value and all(type(part) in (str, int) for part in value):
        text = encode(list(value), name)
    if type(text) is not str or not 1 <= len(text) <= _KEY_MOST or not comes_back(text):
        raise InvalidValue.of(name, f"text of 1 to {_KEY_MOST} characters, or a tuple of text and whole numbers", value)
    return text


def _on_conflict(value: Any) -> dict[str, Any]:
    if type(value) is not str or value not in _CONFLICTS:
        raise InvalidValue.of("on_conflict", '"keep", "replace" or "raise"', value)
    return {"on_conflict": value}


def _linked(name: str) -> Callable[[Any], dict[str, Any]]:
    def rule(value: Any) -> dict[str, Any]:
        found = tuple(value) if isinstance(value, (list, tuple)) else (value,)
        if not all(hasattr(one, "lay") for one in found):
            raise InvalidValue.of(name, "a signature such as task.s(...), or a list of them", value)
        return {name: found}

    return rule


def _even_if(value: Any) -> dict[str, Any]:
    if value != "failed":
        raise InvalidValue.of("even_if", '"failed"', value)
    return {"need": "finished"}


def _misfire(value: Any) -> dict[str, Any]:
    if value not in ("run", "skip"):
        raise InvalidValue.of("misfire", '"run" or "skip"', value)
    return {"skips": value == "skip"}


def truth(name: str, value: object) -> bool:
    """Return a bool if it is one."""
    if type(value) is not bool:
        raise InvalidValue.of(name, "True or False", value)
    return value


def _max_crashes(value: Any) -> dict[str, Any]:
    if type(value) is not int or not 1 <= value <= _CRASHES_MOST:
        raise InvalidValue.of("max_crashes", f"a whole number from 1 to {_CRASHES_MOST}", value)
    return {"max_crashes": value}


def _rate_limit(value: Any) -> dict[str, Any]:
    checked_rate(value)
    return {"rate_limit": value, "limited": True}


_RULES: Final[dict[str, Callable[[Any], dict[str, Any]]]] = {
    "expires": _expires,
    "task_id": lambda value: {"task_id": normal_id(value)},
    "queue": lambda value: {"queue": checked_queue(value), "placed": True},
    "priority": _priority,
    "key": _key,
    "on_conflict": _on_conflict,
    "max_wait": lambda value: {"max_wait": span("max_wait", value), "on_conflict": "replace"},
    "misfire_grace_time": lambda value: {"grace_ms": deadline_ms(0, span("misfire_grace_time", value))},
    "misfire": _misfire,
    "acks_early": lambda value: {"max_crashes": 1 if truth("acks_early", value) else DEFAULT_MAX_CRASHES},
    "max_crashes": _max_crashes,
    "result_ttl": lambda value: {"result_ttl_ms": deadline_ms(0, span("result_ttl", value))},
    "ignore_result": lambda value: {"ignore_result": truth("ignore_result", value)},
    "rate_limit": _rate_limit,
    "concurrency": lambda value: {"concurrency": checked_concurrency(value), "limited": True},
    "limit_key": lambda value: {"limit_key": key_text(value, "limit_key")},
    "limits": lambda value: {"limits": checked_limits(value), "limited": True},
    "after": lambda value: {"after": existing_ids("after", value)},
    "even_if": _even_if,
    "link": _linked("link"),
    "link_error": _linked("link_error"),
}


_IDLE: Final[dict[str, tuple[str, Callable[[Plan], bool]]]] = {
    "on_conflict": ("key", lambda plan: plan.key is not None),
    "max_wait": ("key", lambda plan: plan.key is not None),
    "limit_key": ("rate_limit or concurrency", lambda plan: plan.limited),
    "even_if": ("after", lambda plan: plan.after is not None),
}
"""Options without effect unless another one is given: (name of that one, whether it is given)."""
CALL: Final = frozenset({"countdown", "eta", *_RULES})
"""The options of a call."""
STANDING: Final = CALL - {"after", "even_if", "eta", "task_id", "link", "link_error"}
"""The options of all calls of a task."""
