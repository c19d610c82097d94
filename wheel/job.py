"""The nouns: Job, Claim, and the Outcomes of a run. What an outcome does to its job is in turn.py.

A Job is one call of a task, stored. It is a value: a store never changes one, it replaces it. Job and Claim are
named tuples rather than frozen dataclasses because a Job is built on every delay(): 0.6 us against 2.2 us
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
    """Where a job stands. In the last four it has finished."""

    SCHEDULED = "scheduled"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


FINISHED: Final = frozenset({State.SUCCEEDED, State.FAILED, State.CANCELLED, State.EXPIRED})


class Failure(NamedTuple):
    """Why an attempt failed: the exception's type, its message, its traceback as text."""

    type: str
    message: str
    traceback: str = ""


NEEDS: Final = ("succeeded", "failed", "finished")
GIVES: Final = ("result", "results", "id", "nothing")


class After(NamedTuple):
    """What a job waits for: others that are to end first."""

    ids: tuple[str, ...]
    """Of those jobs."""
    left: int
    """How many of them have not ended yet; at zero the job is due."""
    need: str = "succeeded"
    """How they must have ended for the function to be called: "succeeded", "failed" (one of them), or "finished"."""
    gives: str = "result"
    """What the function is given of them, before its own arguments: the "result" of the one job, the list of all
    "results", the "id" of the one, or "nothing"."""
    delay_ms: int = 0
    """The job is due so long after the last of them has ended."""
    shape: str = ""
    """How the results are nested, as JSON text (see shape.py); empty for one list of all."""

    def arranged(self, results: list[Any]) -> Any:
        """The results of the jobs as the function is given them."""
        return arranged(of_text(self.shape), results) if self.shape else results


class Bound(NamedTuple):
    """One limit that a job keeps to, with all other jobs that name it."""

    name: str
    most: int
    """So many may run at once; or start in each ``per_ms``."""
    per_ms: int = 0
    """Of a rate: its period, in milliseconds; 0 if it is the running ones that count."""


class Fire(NamedTuple):
    """Which fire of which schedule a job is."""

    schedule: str
    """The schedule's name."""
    at_ms: int
    """The instant at which it was to fire, in milliseconds since the epoch."""
    spec: str
    """What the schedule was when this was planned."""
    followed: bool = False
    """Whether the next fire has been added; until then the job is the schedule's place in the store."""
    missed: int = 0
    """How many others it stands for, as they were missed, too; counted up to a thousand. Of a fire that is planned: how
    many older ones were skipped for it."""


class Job(NamedTuple):
    """One call of a task, stored. Give fields by keyword; times are milliseconds since the epoch, UTC.

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
    """Higher runs first among the jobs that are due."""
    key: str | None = None
    """Unique among unfinished jobs."""
    expires_ms: int | None = None
    """From this instant on the job ends unrun."""
    max_crashes: int = DEFAULT_MAX_CRASHES
    """After so many deaths of its worker the job is set aside as failed; 1 makes it at-most-once."""
    result_ttl_ms: int = DEFAULT_RESULT_TTL_MS
    """How long the job is kept once it has finished."""
    state: State = State.SCHEDULED
    attempt: int = 0
    """Runs begun, counted durably before each starts."""
    crashes: int = 0
    token: int = 0
    """The fencing token of the newest claim; grows by each claim over the whole store."""
    owner: str | None = None
    started_ms: int | None = None
    finished_ms: int | None = None
    returned: str | None = None
    """The result as JSON text, once succeeded."""
    error: Failure | None = None
    """Of the last attempt that failed."""
    reason: str | None = None
    """Why the job was cancelled, expired, set aside or sent back."""
    grace_ms: int | None = None
    """A job that nobody took within so many milliseconds after its due instant ends unrun; None to run it late."""
    cancel_ms: int | None = None
    """While it runs: since when it has been asked to end."""
    latest_ms: int | None = None
    """However often a job with its key replaces it: due at this instant at the latest."""
    note: str | None = None
    """What the function has said of its progress, as JSON text."""
    wakes: tuple[str, ...] = ()
    """Ids of jobs that wait for this one."""
    after: After | None = None
    """What it waits for itself; until then it is due at the end of all time."""
    limits: tuple[Bound, ...] = ()
    """What it keeps to before it may start."""
    fire: Fire | None = None
    """Of a schedule: which of its fires this is."""
    ignore_result: bool = False
    """What the function returns is not stored."""
    extra: str | None = None
    """Fields that this version does not know, as the JSON text of an object; kept as they are."""

    @property
    def call(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The positional and the keyword arguments, decoded; with what the job waited for, once it runs."""
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
        """What the function has said of its progress, decoded; None if it has said nothing."""
        return None if self.note is None else _payload.decode(self.note)

    @property
    def retries(self) -> int:
        """How many of the attempts before this one were tried again, as Celery counts them: 0 in the first."""
        return max(0, self.attempt - 1)

    @property
    def slot(self) -> int:
        """Due second mod 3600: the job's place on the ring."""
        return self.due_ms // 1000 % 3600

    @property
    def cycle(self) -> int:
        """Due second div 3600: the absolute turn of the ring in which the job is due."""
        return self.due_ms // 3_600_000

    @property
    def finished(self) -> bool:
        """Whether the job has ended, in whatever way."""
        return self.state in FINISHED


bare: Final = tuple.__new__
"""``bare(Job, values)`` is Job(...) of all its values, in a quarter of the time: no default is filled in."""


def changing(*names: str) -> Callable[..., Job]:
    """What makes ``job._replace`` of these fields in half of the time, for what each job goes through.

    Args:
        names: of fields of Job.

    Returns:
        A function of a job and the new values, in the order of the names.

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
    """The exclusive right to run a job, fenced: only the newest token may settle it."""

    job: Job
    """The job as it runs: state running, this attempt counted."""
    token: int
    owner: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Succeeded:
    """The function returned; ``returned`` is its result as JSON text."""

    returned: str = "null"


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """The function raised, and no attempt is left."""

    error: Failure
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Retried:
    """The function failed and is to run again at ``due_ms``."""

    due_ms: int
    error: Failure | None = None
    payload: str | None = None
    """The arguments of the next attempt; None for the same. With others it is given nothing of what it waited for."""
    queue: str | None = None
    """Of the next attempts; None for the same, and so for the two that follow."""
    priority: int | None = None
    expires_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Snoozed:
    """To run later; this attempt is not counted."""

    due_ms: int
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Released:
    """Given back unrun; this attempt is not counted and the due instant stays."""

    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Crashed:
    """The worker process died of it; counted as a crash, as if the owner had died: it runs again up to max_crashes."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """Not to be run after all: it ends as cancelled."""

    reason: str


Outcome = Succeeded | Failed | Retried | Snoozed | Released | Crashed | Skipped
