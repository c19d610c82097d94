"""CallPlan: the options of a call that only Celery's calls have. They are kept with the job, as ``Job.extra``.

In the JSON file a job has the key ``celery`` then, as in ``"celery":{"headers":{"trace":"7f"}}``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from ...errors import InvalidValue, PayloadError
from ...job import Job
from ...payload import decode, encode
from ...tasks.options.plan import Plan
from ...tasks.options.time_limits import UNLIMITED, Limits, limits_of

KEY: Final = "celery"
BESIDES: Final = ("headers", "time_limit", "soft_time_limit")
"""The options that are kept there."""
OWN_HEADERS: Final = frozenset(
    "lang task id shadow eta expires group group_index retries timelimit root_id parent_id argsrepr kwargsrepr origin "
    "ignore_result replaced_task_nesting stamped_headers stamps compression".split()
)
"""What Celery's messages say of themselves in their headers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallPlan(Plan):
    """A Plan that keeps headers and time limits."""

    extra: str | None = None
    """See Job.extra."""

    def but(self, options: Mapping[str, Any]) -> Plan:
        """See Plan.but. New headers replace those that were there."""
        plan = Plan.but(self, {name: value for name, value in options.items() if name not in BESIDES})
        said = {name: options[name] for name in BESIDES if options.get(name) is not None}
        return replace(plan, extra=_extra(self.extra, said)) if said else plan  # type: ignore[call-arg]

    def job(self, *args: Any, **options: Any) -> Job:
        """See Plan.job."""
        job = Plan.job(self, *args, **options)
        return job if self.extra is None else job._replace(extra=self.extra)


def with_headers(job: Job, headers: Mapping[str, Any]) -> Job:
    """The job with these headers instead of its own.

    Raises:
        InvalidValue, PayloadError: see checked_headers.
    """
    return job._replace(extra=_extra(job.extra, {"headers": headers}))


def headers_in(extra: str | None) -> dict[str, Any]:
    """The headers that are kept in the ``extra`` of a job or plan.

    >>> headers_in('{"celery":{"headers":{"trace":"7f"}}}')
    {'trace': '7f'}
    """
    found = _kept(extra).get("headers")
    return found if isinstance(found, dict) else {}


def limits_in(extra: str | None) -> Limits:
    """The time limits of a call that are kept there."""
    kept = _kept(extra)
    try:
        return limits_of(kept.get("time_limit"), kept.get("soft_time_limit"))
    except InvalidValue:
        return UNLIMITED


def checked_headers(value: Any) -> Mapping[str, Any]:
    """Return headers if they can be kept.

    Raises:
        InvalidValue: they are no dict, or have a name that a message of Celery's has for itself.
        PayloadError: they are not strict JSON.
    """
    if not isinstance(value, Mapping):
        raise InvalidValue.of("headers", "a dict of JSON values", value)
    if own := OWN_HEADERS & value.keys():
        raise InvalidValue.of("headers", "without names that the request has itself, such as id", min(own))
    encode(dict(value), "headers")
    return value


def _kept(extra: str | None) -> dict[str, Any]:
    """What is kept of a call; nothing if it was written by somebody else."""
    try:
        found = decode(extra or "{}").get(KEY)
    except PayloadError:
        return {}
    return found if isinstance(found, dict) else {}


def _extra(extra: str | None, said: Mapping[str, Any]) -> str | None:
    """What is kept, changed by what is said."""
    others = {name: value for name, value in decode(extra or "{}").items() if name != KEY}
    kept = {**_kept(extra), **said}
    if "headers" in said:
        kept["headers"] = dict(checked_headers(said["headers"]))
    limits = limits_of(kept.pop("time_limit", None), kept.pop("soft_time_limit", None))
    kept |= {"time_limit": limits.hard_s, "soft_time_limit": limits.soft_s}
    kept = {name: value for name, value in kept.items() if value not in (None, {})}
    whole = {**others, KEY: kept} if kept else others
    return encode(whole, "headers") if whole else None
