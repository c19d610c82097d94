"""Job, Claim, and the Outcomes of a run. What an outcome does to its job is in turn.py.

A Job is one stored call of a task. It is a value: a store never changes a job, it replaces it. Job and Claim are named
tuples and not frozen dataclasses because each delay() makes a Job: 0.6 us instead of 2.2 us
(docs/decisions/0003-job-is-a-named-tuple.md).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from operator import itemgetter
from typing import Any, Final, NamedTuple

from . import payload as _payload
from .shape import arranged, of_text

DEFAULT_QUEUE: Final = "default"
DEFAULT_MAX_CRASHES: Final = 3
DEFAULT_RESULT_TTL_MS: Final = 3_600_000


class State(StrEnum):
    """The state of a job. In the last four it has finished."""

    SCHEDULED = "scheduled"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


FINISHED: Final = frozenset({State.SUCCEEDED, State.FAILED, State.CANCELLED, State.EXPIRED})


class Failure(NamedTuple):
    """Why an attempt failed: the type, message and traceback of the exception, as text."""

    type: str
    message: str
    traceback: str = ""

    @property
    def words(self) -> str:
        """Type and message in one line, such as ``ValueError: no``."""
        return f"{self.type}: {self.message}"


NEEDS: Final = ("succeeded", "failed", "finished")
GIVES: Final = ("result", "results", "id", "nothing")


class After(NamedTuple):
    """The jobs that a job waits for."""

    ids: tuple[str, ...]
    """Their ids."""
    left: int
    """How many of them have not ended yet. At zero, the job is due."""
    need: str = "succeeded"
    """How they must have ended for the function to be called: "succeeded", "failed" (one of them), or "finished"."""
    gives: str = "result"
    """What the function gets from them, before its own arguments: the "result" of the one job, the list of all
    "results", the "id" of the one, or "nothing"."""
    delay_ms: int = 0
    """How long after the last of them has ended the job is due."""
    shape: str = ""
    """How the results are nested, as JSON text (see shape.py); empty for a flat list."""

    def arranged(self, results: list[Any]) -> Any:
        """The results of the jobs, as the function gets them."""
        return arranged(of_text(self.shape), results) if self.shape else results


class Bound(NamedTuple):
    """A limit that a job shares with all other jobs that name it."""

    name: str
    most: int
    """How many may run at once; or, of a rate, how many may start in each ``per_ms``."""
    per_ms: int = 0
    """The period of a rate, in milliseconds; 0 for a limit on running jobs."""


class Fire(NamedTuple):
    """Which fire of which schedule a job is."""

    schedule: str
    """The schedule's name."""
    at_ms: int
    """The instant of the fire, in milliseconds since the epoch."""
    spec: str
    """The schedule at the time when this fire was planned, as text."""
    followed: bool = False
    """Whether the next fire has been added. Until then, this job is the schedule's next fire."""
    missed: int = 0
    """How many missed fires this one stands for, counted up to a thousand. Before it runs: how many older ones were
    skipped for it."""
    before: tuple[str, ...] = ()
    """With ``max_instances``: the ids of earlier fires that had not ended when this one was added."""
    stored: bool = False
    """Whether the schedule is defined in the store, and not in the code."""


class Job(NamedTuple):
    """One stored call of a task. Pass fields by keyword. Times are in milliseconds since the epoch, UTC.

    >>> job = Job(id="a", task="app.remind", payload='[[1,"x"],{}]', due_ms=1_000)
    >>> job.args, job.kwargs, job.slot, job.cycle
    ((1, 'x'), {}, 1, 0)
    """

    id: str
    task: str
    due_ms: int
    payload: str = "[[],{}]"
    """The arguments as the JSON text ``[args, kwargs]``, made by payload.encode_call."""
    created_ms: int = 0
    queue: str = DEFAULT_QUEUE
    priority: int = 0
    """Of the jobs that are due, those with a higher priority run first."""
    key: str | None = None
    """Unique among unfinished jobs."""
    expires_ms: int | None = None
    """From this instant on, the job is not started; it ends as expired."""
    max_crashes: int = DEFAULT_MAX_CRASHES
    """After this many deaths of its worker the job is set aside as failed; 1 makes it at-most-once."""
    result_ttl_ms: int = DEFAULT_RESULT_TTL_MS
    """How long the job is kept once it has finished."""
    state: State = State.SCHEDULED
    attempt: int = 0
    """Runs begun, counted durably before each starts."""
    crashes: int = 0
    token: int = 0
    """The fencing token of the newest claim. It grows with each claim in the store."""
    owner: str | None = None
    started_ms: int | None = None
    finished_ms: int | None = None
    returned: str | None = None
    """The result as JSON text, once the job has succeeded."""
    error: Failure | None = None
    """The error of the last attempt that failed."""
    reason: str | None = None
    """Why the job was cancelled, expired, set aside or released."""
    grace_ms: int | None = None
    """If the job is not claimed within this many milliseconds after its due instant, it expires; None for never."""
    cancel_ms: int | None = None
    """When a running job was asked to end."""
    latest_ms: int | None = None
    """If jobs with the same key replace this one, they are due at this instant at the latest."""
    note: str | None = None
    """The progress that the function has reported, as JSON text."""
    wakes: tuple[str, ...] = ()
    """The ids of jobs that wait for this one."""
    after: After | None = None
    """The jobs that this one waits for. Until they have ended, it is due at the end of the year 9999."""
    limits: tuple[Bound, ...] = ()
    """The limits that decide whether it may start."""
    fire: Fire | None = None
    """Which fire of a schedule this is, if any."""
    ignore_result: bool = False
    """Whether the function's result is not stored."""
    extra: str | None = None
    """Fields that this version does not know, as the JSON text of an object, kept unchanged."""

    @property
    def call(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The positional and keyword arguments, decoded; in a running job, with the results that it waited for."""
        return _payload.decode_call(self.payload, gathered=self.after is not None)

    @property
    def args(self) -> tuple[Any, ...]:
        """The positional arguments, decoded."""
        return self.call[0]

    @property
    def kwargs(self) -> dict[str, Any]:
        """The keyword arguments, decoded."""
        return self.call[1]

    @property
    def result(self) -> Any:
        """What the function returned, decoded; None until the job has succeeded."""
        return None if self.returned is None else _payload.decode(self.returned)

    @property
    def progress(self) -> Any:
        """The progress that the function has reported, decoded; None if there is none."""
        return None if self.note is None else _payload.decode(self.note)

    @property
    def retries(self) -> int:
        """How many attempts there were before this one, as Celery counts retries: 0 in the first."""
        return max(0, self.attempt - 1)

    @property
    def slot(self) -> int:
        """The due second modulo 3600: the job's place on the ring."""
        return self.due_ms // 1000 % 3600

    @property
    def cycle(self) -> int:
        """The due second divided by 3600: the turn of the ring in which the job is due."""
        return self.due_ms // 3_600_000

    @property
    def finished(self) -> bool:
        """Whether the job has ended."""
        return self.state in FINISHED

    @property
    def since_ms(self) -> int:
        """When the job finished; if it has not, when it started, or while it is scheduled, when it was created."""
        if self.state is State.SCHEDULED:
            return self.created_ms
        instant = self.started_ms if self.state is State.RUNNING else self.finished_ms
        return self.created_ms if instant is None else instant


bare: Final = tuple.__new__
"""``bare(Job, values)`` makes a Job from all its values, in a quarter of the time: it fills in no defaults."""


def changing(*names: str) -> Callable[..., Job]:
    """Return a function that replaces these fields of a job, in half the time of ``job._replace``.

    It takes the job and the new values, in the order of ``names``.

    Raises:
        ValueError: a job has no such field.

    >>> begun = changing("attempt", "owner")
    >>> begun(Job(id="a", task="t", due_ms=0), 1, "me").owner
    'me'
    """
    order = list(range(len(Job._fields)))
    for place, name in enumerate(names, len(Job._fields)):
        order[Job._fields.index(name)] = place
    pick = itemgetter(*order)
    return lambda job, *values: bare(Job, pick(job + values))


class Claim(NamedTuple):
    """The exclusive right to run a job. Only the claim with the newest token can settle it."""

    job: Job
    """The job as it runs: state running, this attempt counted."""
    token: int
    owner: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Succeeded:
    """The function returned. ``returned`` is its result as JSON text."""

    returned: str = "null"


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """The function raised, and no attempt is left."""

    error: Failure
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Retried:
    """The job is to be retried at ``due_ms``."""

    due_ms: int
    error: Failure | None = None
    payload: str | None = None
    """The arguments of the next attempt; None for the same. With new ones, it gets no results of other jobs."""
    queue: str | None = None
    """The queue of the next attempts; None for the same. So for ``priority`` and ``expires_ms``."""
    priority: int | None = None
    expires_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Snoozed:
    """The job is to run later. This attempt is not counted."""

    due_ms: int
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Released:
    """The job was not run, and is due as before. This attempt is not counted."""

    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Crashed:
    """The worker process died. This is counted as a crash: the job runs again, up to max_crashes."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """The job need not run, and ends as cancelled."""

    reason: str


Outcome = Succeeded | Failed | Retried | Snoozed | Released | Crashed | Skipped
