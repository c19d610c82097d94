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

KEY: Final = "celery"
OWN_HEADERS: Final = frozenset(
    "lang task id shadow eta expires group group_index retries timelimit root_id parent_id argsrepr kwargsrepr origin "
    "ignore_result replaced_task_nesting stamped_headers stamps compression".split()
)
"""What Celery's messages say of themselves in their headers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallPlan(Plan):
    """A Plan that keeps headers."""

    extra: str | None = None
    """See Job.extra."""

    def but(self, options: Mapping[str, Any]) -> Plan:
        """See Plan.but. ``headers`` replace those that were there."""
        plan = Plan.but(self, {name: value for name, value in options.items() if name != "headers"})
        headers = options.get("headers")
        return plan if headers is None else replace(plan, extra=_extra(self.extra, headers))  # type: ignore[call-arg]

    def job(self, *args: Any, **options: Any) -> Job:
        """See Plan.job."""
        job = Plan.job(self, *args, **options)
        return job if self.extra is None else job._replace(extra=self.extra)


def with_headers(job: Job, headers: Mapping[str, Any]) -> Job:
    """The job with these headers instead of its own.

    Raises:
        InvalidValue, PayloadError: see checked_headers.
    """
    return job._replace(extra=_extra(job.extra, headers))


def headers_in(extra: str | None) -> dict[str, Any]:
    """The headers that are kept in the ``extra`` of a job or plan.

    >>> headers_in('{"celery":{"headers":{"trace":"7f"}}}')
    {'trace': '7f'}
    """
    found = _kept(extra).get("headers")
    return found if isinstance(found, dict) else {}


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


def _extra(extra: str | None, headers: Mapping[str, Any]) -> str | None:
    others = {name: value for name, value in decode(extra or "{}").items() if name != KEY}
    kept = {**_kept(extra), "headers": dict(checked_headers(headers))}
    if not headers:
        del kept["headers"]
    whole = {**others, KEY: kept} if kept else others
    return encode(whole, "headers") if whole else None
