"""Retry: what a task raises to be run again later."""

from __future__ import annotations

from datetime import datetime, timedelta

from .clock import deadline_ms, instant_ms
from .errors import InvalidValue, NoriaError


class Retry(NoriaError):
    """Raised by a task: this attempt failed, run the job again.

    Raise it ``from`` the exception that was the reason, so that the job shows that one as its error. When
    ``max_retries`` runs have been tried again already, the job fails with it.

    Args:
        message: why, for people.
        countdown: seconds until the next attempt; the task's ``default_retry_delay`` if neither is given.
        eta: the aware datetime of the next attempt, in the place of countdown.
        exc: the exception that was the reason, where ``raise ... from`` does not say it.
        max_retries: in the place of the task's own.

    >>> raise Retry("the gateway is busy", countdown=30)
    Traceback (most recent call last):
    noria.wheel.retry.Retry: the gateway is busy
    """

    def __init__(
        self,
        message: str = "",
        *,
        countdown: float | timedelta | None = None,
        eta: datetime | None = None,
        exc: BaseException | None = None,
        max_retries: int | None = None,
    ) -> None:
        if type(message) is not str:  # as in Retry(60)
            raise InvalidValue.of("message", "text; seconds are given as countdown=", message)
        if countdown is not None and eta is not None:
            raise InvalidValue.of("countdown", "absent when eta is given", countdown)
        if max_retries is not None and (type(max_retries) is not int or max_retries < 0):
            raise InvalidValue.of("max_retries", "a whole number, 0 or more", max_retries)
        deadline_ms(0, countdown or 0)
        super().__init__(message)
        self.countdown = countdown
        self.eta = None if eta is None else instant_ms(eta)
        self.max_retries = max_retries
        if exc is not None:
            self.__cause__ = exc

    def due_ms(self, now_ns: int, default_delay_s: float | timedelta) -> int:
        """When the next attempt is due, in milliseconds since the epoch.

        Args:
            now_ns: the present, in nanoseconds since the epoch.
            default_delay_s: the delay, in seconds, if the exception does not say when.
        """
        if self.eta is not None:
            return self.eta
        return deadline_ms(now_ns, default_delay_s if self.countdown is None else self.countdown)
