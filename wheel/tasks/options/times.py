"""Times of calls: countdown and eta, and checks against expiry."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from ...clock import MAX_MS, as_datetime, deadline_ms, instant_ms
from ...errors import InvalidValue
from ...job import Job, State

Seconds = float | timedelta

NOT_BOTH: Final = "pass countdown or eta, not both"


def span(name: str, value: Seconds, *, least: int = 0) -> Seconds:
    """Return a duration (seconds or a timedelta) if it is valid and at least ``least`` milliseconds."""
    try:
        length_ms = deadline_ms(0, value)
    except InvalidValue:
        length_ms = -1
    if not least <= length_ms <= MAX_MS:
        above = "zero or more" if least == 0 else "more than zero"
        raise InvalidValue.of(name, f"a number of seconds or a timedelta, {above}", value)
    return value


def checked_time(countdown: Seconds | None, eta: datetime | None) -> tuple[Seconds | None, datetime | None]:
    """Return both unchanged if at most one is given, and valid."""
    if countdown is not None and eta is not None:
        raise InvalidValue(NOT_BOTH)
    if eta is not None:
        instant_ms(eta)
    return (None if countdown is None else span("countdown", countdown)), eta


def due_ms(now_ns: int, countdown: Seconds | None, eta: datetime | None) -> int:
    """Return when a call with either countdown or eta is due, in milliseconds since the epoch."""
    if eta is None:
        if countdown is None:
            raise InvalidValue("pass countdown or eta")
        return deadline_ms(now_ns, countdown)
    if countdown is not None:
        raise InvalidValue(NOT_BOTH)
    return instant_ms(eta)


def refuse_new_time(job: Job | None, due_ms: int) -> None:
    """Raise InvalidValue if a scheduled job cannot be moved to that time.

    Either it expires first, or it waits for other jobs: with a due time it would run before they have ended.
    """
    if job is None or job.state is not State.SCHEDULED:
        return
    refuse_too_late(due_ms, job.expires_ms)
    if job.after is not None and job.after.left:
        raise InvalidValue(f"job {job.id} cannot be moved: it waits for {job.after.left} other jobs, not for a time")


def refuse_too_late(due_ms: int, expires_ms: int | None) -> None:
    """Raise InvalidValue if a job would expire before it is due, and so could never run."""
    if expires_ms is not None and expires_ms <= due_ms:
        due = f"{as_datetime(due_ms):%Y-%m-%d %H:%M:%S} UTC"
        raise InvalidValue.of(
            "expires", f"later than the job is due, {due}", f"{as_datetime(expires_ms):%Y-%m-%d %H:%M:%S} UTC"
        )
