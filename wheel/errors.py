"""Every error of ours, under one root, grouped by when it happens.

Each derives from :class:`HourwheelError`; where the standard library has a kin (ValueError, LookupError,
TimeoutError, OSError) that is the second base, so that code which knows nothing of Hourwheel catches it too.
"""

from __future__ import annotations

from typing import Final

_LONGEST_SHOWN: Final = 500


class HourwheelError(Exception):
    """The root: ``except HourwheelError`` catches whatever Hourwheel itself raises."""

    def __init_subclass__(cls, **kwargs: object) -> None:
        """Ours are known by the name under which they are imported: it stands in stores, and files are moved."""
        super().__init_subclass__(**kwargs)
        if cls.__module__ == __name__:
            cls.__module__ = __package__


HourwheelError.__module__ = __package__


# ---- at the call: nothing was written --------------------------------------------------------------------


class InvalidValue(HourwheelError, ValueError):
    """An argument or option breaks its rule: "<name> must be <rule>, got <value!r>"."""

    @classmethod
    def of(cls, name: str, rule: str, value: object) -> InvalidValue:
        """The error in the house's one wording; a value that cannot be shown, or not in a few words, is cut short."""
        return cls(f"{name} must be {rule}, got {_shown(value)}")


def _shown(value: object) -> str:
    try:
        shown = repr(value)
    except Exception:  # a __repr__ may fail, and Python's own does on nesting and on huge ints
        return f"a {type(value).__name__} that cannot be shown"
    return shown if len(shown) <= _LONGEST_SHOWN else shown[: _LONGEST_SHOWN - 3] + "..."


class UnknownSetting(InvalidValue, AttributeError, KeyError):
    """There is no setting of that name; the message guesses which was meant."""

    __str__ = Exception.__str__  # a KeyError would quote the message


class PayloadError(HourwheelError, TypeError, ValueError):
    """An argument or result is not strict JSON; the message names the path to the offending value."""


class NotRegistered(HourwheelError, LookupError):
    """No task of that name is registered here."""


class NoScheduler(HourwheelError, RuntimeError):
    """A shared task was called before any Scheduler existed to carry it."""


class DuplicateJob(HourwheelError, ValueError):
    """A pending job holds the same unique key, and on_conflict is "raise"."""


class Deadlock(HourwheelError, RuntimeError):
    """A job waits in get() for one that can never end while it waits; the message names the circle."""


# ---- waiting for a result --------------------------------------------------------------------------------


class ResultError(HourwheelError):
    """A result cannot be given."""


class ResultTimeout(ResultError, TimeoutError):
    """The job did not finish within the timeout given to get()."""


class UnknownSchedule(HourwheelError, LookupError):
    """The scheduler has no schedule of that name."""


class UnknownJob(ResultError, LookupError):
    """The store holds no job of that id: it never did, or its result_ttl is over."""


class JobFailed(ResultError):
    """The job's function raised; ``type`` and ``traceback`` are those of the worker's exception."""

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
    """The job ended unrun: its ``expires`` had passed."""


# ---- while a job runs ------------------------------------------------------------------------------------


class SoftTimeLimitExceeded(HourwheelError):
    """Raised in a function that has run for its ``soft_time_limit``: the time to clean up."""

    from_outside: Final = True
    """It may strike in a hook or a log handler that the function has called, and is the function's all the same."""

    def __init__(self, message: str = "the soft time limit is over") -> None:
        super().__init__(message)


class TimeLimitExceeded(HourwheelError):
    """A job ran for its ``time_limit`` and was stopped; the function cannot catch it."""


# ---- the scheduler ---------------------------------------------------------------------------------------


class SchedulerError(HourwheelError, RuntimeError):
    """The scheduler was asked for what its present state does not allow."""


# ---- the store -------------------------------------------------------------------------------------------


class StoreError(HourwheelError):
    """The store cannot do what was asked; nothing of the call was accepted unless the message says so."""


class StoreClosed(StoreError):
    """The store was closed."""


class StoreReadOnly(StoreError):
    """The store was opened for reading, and the call would change it."""


class StoreBusy(StoreError, TimeoutError):
    """The store's lock could not be had in time; the message says who holds it, where that is known."""


class StoreReentered(StoreError):
    """A signal's handler asked for a change of the store whose change by the same thread it had interrupted.

    Nothing was changed. The handler's ``delay()`` is stored when the interrupted call ends, and reads are answered; all
    else has to wait until the handler has returned: note what is to be done, and do it in the program's own course.
    """

    def __init__(self, what: str) -> None:
        super().__init__(
            f"{what}: a signal's handler has interrupted this thread in the middle of a change, so it cannot make one "
            "itself; nothing was changed: let the handler note what is to be done, and do it when it has returned"
        )


class StoreFull(StoreError, OSError):
    """The disk has no room. Nothing was written; the store works again by itself once there is room."""


class TooManyPending(StoreError):
    """As many jobs wait in the store as its ``max_pending`` allows. Nothing was added; what runs can still end."""


class StoreUnsafe(StoreError):
    """The place is refused: a network file system, a symbolic link, a directory that others may write."""


class StoreMoved(StoreError):
    """The store's files are not what their names say any more: renamed, removed, replaced while they were open.

    Nothing of the call was accepted. The message says what was found, and how to go on.
    """


class StoreFormatError(StoreError):
    """The file is not an Hourwheel store, or was written by a newer Hourwheel than this one may touch."""


class StoreCorrupt(StoreError):
    """The file is damaged. ``path`` and ``offset`` (bytes) say where; nothing was changed."""

    def __init__(self, path: str, offset: int, reason: str) -> None:
        super().__init__(f"{path}: damaged at byte {offset}: {reason}; nothing was changed, see `hourwheel repair`")
        self.path = path
        self.offset = offset
        self.reason = reason

    def __reduce__(self) -> tuple[object, ...]:
        return (StoreCorrupt, (self.path, self.offset, self.reason))


class StoreIncomplete(StoreCorrupt):
    """One of the store's files is missing, or is not the one that belongs to the others; nothing was changed."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, 0, reason)
        self.args = (f"{path}: {reason}",)

    def __reduce__(self) -> tuple[object, ...]:
        return (StoreIncomplete, (self.path, self.reason))


class StoreUncertain(StoreError, OSError):
    """A write failed, or a connection broke in the middle of one: whether the change was made is not known.

    The same call again is safe: with the same ids nothing is added twice, and what was settled stays settled.
    """
