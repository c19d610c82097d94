"""Times of calls: how long from now, or at what instant; and whether that is in time."""

from __future__ import annotations

from datetime import datetime, timedelta

from ...clock import MAX_MS, as_datetime, deadline_ms, instant_ms
from ...errors import InvalidValue
from ...job import Job, State

Seconds = float | timedelta


def span(name: str, value: Seconds, *, least: int = 0) -> Seconds:
    """A length of time, checked: seconds or a timedelta, from ``least`` milliseconds on."""
    try:
        length_ms = deadline_ms(0, value)
    except InvalidValue:
        length_ms = -1
    if not least <= length_ms <= MAX_MS:
        above = "zero or more" if least == 0 else "more than zero"
        raise InvalidValue.of(name, f"a number of seconds or a timedelta, {above}", value)
    return value


def checked_time(countdown: Seconds | None, eta: datetime | None) -> tuple[Seconds | None, datetime | None]:
    """Both as they are, if at most one is given and that keeps its rule."""
    if countdown is not None and eta is not None:
        raise InvalidValue.of("countdown", "absent when eta is given", countdown)
    if eta is not None:
        instant_ms(eta)
    return (None if countdown is None else span("countdown", countdown)), eta


def due_ms(now_ns: int, countdown: Seconds | None, eta: datetime | None) -> int:
    """The instant that countdown or eta names, in milliseconds since the epoch.

    Raises:
        InvalidValue: not exactly one of the two is given, or it breaks its rule.
    """
    if eta is None:
        if countdown is None:
            raise InvalidValue.of("countdown", "given, or eta", countdown)
        return deadline_ms(now_ns, countdown)
    if countdown is not None:
        raise InvalidValue.of("countdown", "absent when eta is given", countdown)
    return instant_ms(eta)


def refuse_new_time(job: Job | None, due_ms: int) -> None:
    """Raise InvalidValue if a scheduled job cannot have that time.

    It expires before, or waits for others: with a time of its own it would be due, and ended, before them.
    """
    if job is None or job.state is not State.SCHEDULED:
        return
    refuse_too_late(due_ms, job.expires_ms)
    if job.after is not None and job.after.left:
        rule = f"given to a job that waits for a time; {job.id} waits for {job.after.left} other jobs"
        raise InvalidValue.of("a new time", rule, as_datetime(due_ms).isoformat())


def refuse_too_late(due_ms: int, expires_ms: int | None) -> None:
    """Raise InvalidValue if a job would be due when it has expired already, so that it could never run."""
    if expires_ms is not None and expires_ms <= due_ms:
        due = f"{as_datetime(due_ms):%Y-%m-%d %H:%M:%S} UTC"
        raise InvalidValue.of(
            "expires", f"later than the job is due, {due}", f"{as_datetime(expires_ms):%Y-%m-%d %H:%M:%S} UTC"
        )
