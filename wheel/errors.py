"""The errors that Hourwheel raises, grouped by when they happen.

All derive from :class:`HourwheelError`. If a built-in exception means the same (ValueError, LookupError, TimeoutError,
OSError), it is the second base, so that code that knows nothing of Hourwheel can catch it.
"""

from __future__ import annotations

from typing import Final

_LONGEST_SHOWN: Final = 500


class HourwheelError(Exception):
    """The base class: ``except HourwheelError`` catches everything that Hourwheel itself raises."""

    def __init_subclass__(cls, **kwargs: object) -> None:
        """Name the class by the module it is imported from: stores contain that name, and it must not change."""
        super().__init_subclass__(**kwargs)
        if cls.__module__ == __name__:
            cls.__module__ = __package__


HourwheelError.__module__ = __package__


# ---- at the call: nothing was written --------------------------------------------------------------------


class InvalidValue(HourwheelError, ValueError):
    """An argument or option is not valid: "<name> must be <rule>, got <value!r>"."""

    @classmethod
    def of(cls, name: str, rule: str, value: object) -> InvalidValue:
        """Return the error with the usual wording. The repr() of the value is cut if it is long."""
        return cls(f"{name} must be {rule}, got {_shown(value)}")


def _shown(value: object) -> str:
    try:
        shown = repr(value)
    except Exception:  # __repr__ may raise anything; Python's own raises for deep nesting and huge ints
        return f"a {type(value).__name__} that cannot be shown"
    return shown if len(shown) <= _LONGEST_SHOWN else shown[: _LONGEST_SHOWN - 3] + "..."


class WrongUse(HourwheelError, TypeError, AttributeError):
    """A task, a call or a result was used as if it were another of them. The message says what to write."""


class UnknownSetting(InvalidValue, AttributeError, KeyError):
    """There is no setting of that name. The message suggests similar ones."""

    __str__ = Exception.__str__  # that of KeyError quotes the message


class PayloadError(HourwheelError, TypeError, ValueError):
    """An argument or result is not strict JSON. The message has the path to the value, and what to pass instead."""


class NotRegistered(HourwheelError, LookupError):
    """No task of that name is registered."""


class NoScheduler(HourwheelError, RuntimeError):
    """A shared task was called before a Scheduler was created."""


class DuplicateJob(HourwheelError, ValueError):
    """A pending job has the same unique key, and on_conflict is "raise"."""


class Deadlock(HourwheelError, RuntimeError):
    """A job called get() for a job that can never end while it waits. The message names the cycle."""


# ---- waiting for a result --------------------------------------------------------------------------------


class ResultError(HourwheelError):
    """There is no result to return; see the subclasses."""


class ResultTimeout(ResultError, TimeoutError):
    """The job did not finish within the timeout given to get()."""


class UnknownSchedule(HourwheelError, LookupError):
    """The scheduler has no schedule of that name."""


class UnknownJob(ResultError, LookupError):
    """The store has no job of that id: it never had, or the job's result_ttl is over."""


class JobFailed(ResultError):
    """The job's function raised. ``type`` and ``traceback`` describe the worker's exception."""

    def __init__(self, message: str, *, type: str = "", traceback: str = "") -> None:
        super().__init__(message)
        self.type = type
        self.traceback = traceback

    def __reduce__(self) -> tuple[object, ...]:
        return (_job_failed, (str(self), self.type, self.traceback))


def _job_failed(message: str, type: str, traceback: str) -> JobFailed:
    return JobFailed(message, type=type, traceback=traceback)


class JobCancelled(ResultError):
    """The job was cancelled before it ran."""


class JobExpired(ResultError):
    """The job was not run, because its ``expires`` had passed."""


# ---- while a job runs ------------------------------------------------------------------------------------


class SoftTimeLimitExceeded(HourwheelError):
    """Raised in a function when its ``soft_time_limit`` is reached, so that it can clean up."""

    from_outside: Final = True
    """It is meant for the function, even if it is raised in a hook or log handler that the function has called."""

    def __init__(self, message: str = "the soft time limit is over") -> None:
        super().__init__(message)


class TimeLimitExceeded(HourwheelError):
    """A job reached its ``time_limit`` and was stopped. The function cannot catch it."""


# ---- the scheduler ---------------------------------------------------------------------------------------


class SchedulerError(HourwheelError, RuntimeError):
    """The call is not allowed in the scheduler's present state."""


# ---- the store -------------------------------------------------------------------------------------------


class StoreError(HourwheelError):
    """The store failed. Nothing was changed unless the message says so."""


class StoreClosed(StoreError):
    """The store is closed."""


class StoreReadOnly(StoreError):
    """The store was opened read-only, and the call would change it."""


class StoreBusy(StoreError, TimeoutError):
    """The store could not be locked in time. The message names the process that holds the lock, if known."""


class StoreReentered(StoreError):
    """A signal handler called the store while it had interrupted a change of the store in the same thread.

    Nothing was changed. In such a handler, ``delay()`` works (the job is stored when the interrupted call ends), and so
    do reads. For other changes, set a flag in the handler and make them after it has returned.
    """

    def __init__(self, what: str) -> None:
        super().__init__(
            f"{what}: a signal handler has interrupted a change by this thread, and cannot make another one; nothing "
            "was changed: set a flag in the handler, and make the change after it has returned"
        )


class StoreFull(StoreError, OSError):
    """The disk is full. Nothing was written; the store works again as soon as there is space."""


class TooManyPending(StoreError):
    """The store already has ``max_pending`` scheduled jobs. Nothing was added. Running jobs can still end."""


class StoreUnsafe(StoreError):
    """The path is refused: a network file system, a symbolic link, or a directory that others may write to."""


class StoreMoved(StoreError):
    """The store's files were renamed, removed or replaced while they were open.

    Nothing was changed. The message says what was found, and what to do.
    """


class StoreFormatError(StoreError):
    """The file is not an Hourwheel store, or was written by a newer version that this one cannot read."""


class StoreCorrupt(StoreError):
    """The file ``path`` is damaged at byte ``offset``. Nothing was changed."""

    def __init__(self, path: str, offset: int, reason: str) -> None:
        super().__init__(f"{path}: damaged at byte {offset}: {reason}; nothing was changed, see `hourwheel repair`")
        self.path = path
        self.offset = offset
        self.reason = reason

    def __reduce__(self) -> tuple[object, ...]:
        return (StoreCorrupt, (self.path, self.offset, self.reason))


class StoreIncomplete(StoreCorrupt):
    """One of the store's files is missing, or does not belong to the others. Nothing was changed."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, 0, reason)
        self.args = (f"{path}: {reason}",)

    def __reduce__(self) -> tuple[object, ...]:
        return (StoreIncomplete, (self.path, self.reason))


class StoreUncertain(StoreError, OSError):
    """A write failed, or a connection broke in the middle of one: whether the change was made is not known.

    The same call again is safe: with the same ids nothing is added twice, and what was settled stays settled.
    """
