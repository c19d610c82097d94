"""Store: the interface of anything that keeps the ring. The protocols after it are optional capabilities of a store.

Every verb that changes something takes a list. It is atomic (all of the call or nothing), and durable when it returns,
as far as the store's durability promises. ``now_ms`` is the current time in milliseconds since the epoch. What happens
to a job is decided in turn.py; a store compares tokens, replaces jobs, and keeps the counts.
StoreContract in hourwheel.testing tests everything that is said here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal, NamedTuple, Protocol, runtime_checkable

from .job import Claim, Job, State
from .turn import Effect

OnConflict = Literal["keep", "replace", "raise"]


class Found(StrEnum):
    """Where a verb found a job; the verb says which of them it changes."""

    SCHEDULED = "scheduled"
    RUNNING = "running"
    FINISHED = "finished"
    UNKNOWN = "unknown"
    CHANGED = "changed"
    """It has been claimed since the caller looked: its token is another than the one that was given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which jobs scan() returns. A field that is None does not restrict them."""

    states: frozenset[State] | None = None
    task: str | None = None
    """Its name, or a pattern in which ``*`` stands for any text, such as ``app.mail.*``."""
    queue: str | None = None
    key: str | None = None
    due_from_ms: int | None = None
    due_before_ms: int | None = None
    error: str | None = None
    """Text that the job's error contains, written as ``type: message``. Upper and lower case differ."""
    since_from_ms: int | None = None
    """With the next one: since when a job has been scheduled, running or finished; see Job.since_ms."""
    since_before_ms: int | None = None


class Cursor(NamedTuple):
    """Where a scan stopped: after the job with this due instant and id."""

    due_ms: int
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """Counts at one moment. Always, accepted == scheduled + running + succeeded + failed + cancelled + expired."""

    accepted: int
    """All jobs that were ever added."""
    scheduled: int
    overdue: int
    """The scheduled jobs whose due instant has passed."""
    running: int
    succeeded: int
    """This and the next three count all jobs ever, including those that have been dropped."""
    failed: int
    cancelled: int
    expired: int
    hand: int
    """The last second swept."""
    next_due_ms: int | None


class Claims(list[Claim]):
    """The result of claim(): the claims, ordered by token, and what the caller needs for its next call."""

    __slots__ = ("ask", "next_ms", "unrun")

    def __init__(
        self, claims: Iterable[Claim] = (), *, next_ms: int | None = None, ask: int = 0, unrun: Iterable[Job] = ()
    ) -> None:
        super().__init__(claims)
        self.next_ms: Final = next_ms
        """When to claim again, if nothing changes before; None for never. It may have passed already."""
        self.ask: Final = ask
        """What to pass to the next call as ``ask``, once these claims are in good hands."""
        self.unrun: Final = tuple(unrun)
        """The jobs that expired in this call."""


class Store(Protocol):
    """Keeps the ring."""

    @property
    def lease_ms(self) -> int | None:
        """How long an owner counts as alive after its last sign of life, in milliseconds of the store's clock.

        None if the kernel tells the store when an owner dies; then beat() does nothing.
        """

    def now_ms(self) -> int | None:
        """The current time of the store's own clock; None if it has none and uses the time that callers pass."""

    # ---- adding and running ------------------------------------------------------------------------------

    def add(
        self, jobs: Sequence[Job], now_ms: int, *, on_conflict: OnConflict = "keep", fresh: bool = False
    ) -> list[str]:
        """Add jobs.

        Idempotent by id: a job whose id is in the store already is left unchanged. If an unfinished job holds the
        ``key`` of a new one, ``on_conflict`` decides: "keep" does not add the new one; "replace" adds it and ends the
        other one as cancelled, unless that is running; "raise" raises DuplicateJob. A replaced job is kept for at most
        five minutes. If both have a ``latest_ms``, the new job gets the earlier one, and is due then at the latest.

        A job with ``after`` waits for jobs of this call, which list it in their ``wakes``; or, unless ``fresh``, for
        jobs that are in the store: the same step lists it in their ``wakes``, and sets ``left`` to how many have not
        ended. If none is left, it is due ``delay_ms`` from now.

        Args:
            jobs: in state scheduled, with attempt 0.
            now_ms: the current time.
            on_conflict: "keep", "replace" or "raise".
            fresh: the caller guarantees that all ids are new and no job has a key, so no look-up is needed.

        Returns:
            For each job its id, or that of the job that was kept instead.

        Raises:
            DuplicateJob: on_conflict is "raise" and a key is taken; nothing was added.
            UnknownJob: a job is to wait for one that the store does not have; nothing was added.
            StoreUncertain: it is unknown whether the jobs were added. Repeating the same call is safe.
            StoreError: the store failed; nothing was added.
        """

    def claim(
        self,
        owner: str,
        now_ms: int,
        limit: int,
        *,
        queues: Collection[str] | None = None,
        without: Collection[str] = (),
        ids: Collection[str] | None = None,
        ask: int | None = None,
    ) -> Claims:
        """Take up to ``limit`` due jobs for ``owner``: scheduled -> running in one atomic step.

        First, the jobs of dead owners become scheduled again, or are set aside after max_crashes. Jobs whose
        ``expires_ms`` has come, or that have been due for longer than their ``grace_ms``, end as expired. The others
        with ``due_ms <= now_ms`` are claimed in the order (higher priority, earlier due, id). Attempt and token grow by
        one.

        Jobs are held back while they are paused, or one of their ``limits`` is used up: ``most`` jobs that name it are
        running; or, for a rate, its last start was less than ``per_ms / most`` ago. (At rates above ten a second, the
        starts of a tenth of a second may come together.) Limits count the jobs of all processes.

        Args:
            owner: the name to claim in. A claim is a sign of life; from now on, the store watches whether the owner
                lives.
            now_ms: the current time.
            limit: how many to claim at most; 0 or more.
            queues: only jobs of these queues; None for all.
            without: ``task:<name>`` and ``schedule:<name>``, as for pause(): skip the jobs that a pause of these names
                would hold back, because the caller cannot run them.
            ids: only these jobs; None for all.
            ask: the ``ask`` of the last answer that the owner has received. Claims that it was given since, in answers
                that were lost, are returned again, in addition to up to ``limit`` new ones. Pass None, and limit 0, in
                the first call: then nothing is lost with its answer.
        """

    def beat(self, owner: str, now_ms: int) -> bool:
        """Tell the store that an owner lives. Returns False if it was taken for dead, so that its claims are lost."""

    def settle(self, settlements: Sequence[tuple[Claim, Effect]], now_ms: int) -> list[Claim]:
        """Record the effects of runs. Returns the claims that were lost, as their tokens show; these change nothing.

        ``Keep`` leaves the job running. A next fire is added in the same atomic step, unless this job has added one
        before, or a newer job holds its key; the job's key passes to it. ``Again`` ends the job as cancelled if it was
        asked to end or a newer job holds its key; see turn.settled().

        When a job ends, by this or any other verb, each job in its ``wakes`` has one job less to wait for. With the
        last one, it becomes due, at once or ``delay_ms`` later.

        Raises:
            InvalidValue, PayloadError: an effect would change a field to what it cannot be; nothing was changed.
        """

    # ---- changing ----------------------------------------------------------------------------------------

    # With ``tokens``, one for each id, these verbs leave a job alone whose token is another, as CHANGED: it has been
    # claimed since the caller looked. So what a person has chosen to change can be changed later, and none of it twice.

    def cancel(
        self, ids: Sequence[str], now_ms: int, *, reason: str | None = None, tokens: Sequence[int] | None = None
    ) -> list[Found]:
        """End scheduled jobs as cancelled. Returns for each id where it was found; only SCHEDULED was cancelled.

        A running job is asked to end: ``cancel_ms`` and ``reason`` are set, which its function may check, and when it
        would be scheduled again (retried, snoozed, released, recovered), it ends as cancelled.
        """

    def reschedule(self, ids: Sequence[str], due_ms: int, now_ms: int) -> list[Found]:
        """Move scheduled jobs to another instant. Returns for each id where it was found; only SCHEDULED was moved.

        Raises:
            InvalidValue: no job can be due at ``due_ms``; nothing was changed.
        """

    def revive(
        self, ids: Sequence[str], due_ms: int, now_ms: int, *, tokens: Sequence[int] | None = None
    ) -> list[Found]:
        """Schedule finished jobs as if they had never run. Returns for each id where it was found.

        Only FINISHED was revived. Attempts and crashes count from zero; the token goes on growing.

        Raises:
            DuplicateJob: another job holds the key of one of them; nothing was changed.
            InvalidValue: no job can be due at ``due_ms``; nothing was changed.
        """

    def forget(self, ids: Sequence[str], *, tokens: Sequence[int] | None = None) -> list[Found]:
        """Drop finished jobs, with their arguments and results. Returns for each id where it was found.

        Only FINISHED was dropped: no verb finds it any more, and its id may be used again. A job that waits for the
        result does not find it, as after its result_ttl. Stats still count it.
        """

    def tidy(self, now_ms: int, limit: int = 10_000) -> int:
        """Drop jobs whose result_ttl is over, like forget(), the oldest first.

        A job stays as long as one of those in its ``wakes`` has not finished, which may need its result. A worker calls
        this every ten seconds. A store may also drop them by itself.

        Args:
            now_ms: the current time.
            limit: about how many to drop at most, so that others do not wait for long.

        Returns:
            How many were dropped. If it is less than ``limit``, no more are over.
        """

    def pause(self, names: Sequence[str]) -> list[str]:
        """Hold jobs back, durably and for all processes. Returns the names that were not paused before.

        Names are ``queue:<name>``, ``task:<name>`` and ``schedule:<name>`` (its next fire). Running jobs go on. Jobs
        that are held back become due, expire and misfire as usual, but are not claimed.
        """

    def resume(self, names: Sequence[str]) -> list[str]:
        """End pauses. Returns the names that were paused."""

    def paused(self) -> list[str]:
        """The names that are paused, sorted."""

    # ---- reading -----------------------------------------------------------------------------------------

    def get(self, ids: Sequence[str]) -> list[Job | None]:
        """For each id the job, or None if there is none."""

    def scan(self, filter: Filter = Filter(), limit: int | None = None, *, after: Cursor | None = None) -> list[Job]:
        """The jobs that pass the filter, in the order (due_ms, id).

        Args:
            filter: which jobs.
            limit: how many at most; None for all.
            after: only jobs after this one; see pages().
        """

    def next_due(self, queues: Collection[str] | None = None, without: Collection[str] = ()) -> int | None:
        """The earliest due_ms of a scheduled job (it may have passed already), or None.

        This must be cheap. So with ``queues`` or ``without``, the result may be earlier than the first such job, if
        another job is due before; it is never later, and it is exact for jobs that such a claim has found to be due.
        Jobs that a claim has skipped do not count while they are held back; with a rate, until the next start.
        """

    def stats(self, now_ms: int) -> Stats:
        """See Stats."""

    def check(self) -> list[str]:
        """The violations of invariants that were found in the store, as text; [] if it is sound."""

    def close(self) -> None:
        """Release all resources. May be called twice; any other verb raises StoreClosed afterwards."""


def pages(store: Store, filter: Filter = Filter(), size: int = 10_000) -> Iterator[Job]:
    """Yield all jobs that pass a filter, read page by page, so that not all are in memory at once.

    A job that is moved meanwhile may be yielded twice, or not at all.
    """
    if isinstance(store, Streaming):
        yield from store.each(filter)
        return
    after: Cursor | None = None
    while True:
        page = store.scan(filter, size, after=after)
        yield from page
        if len(page) < size:
            return
        after = Cursor(page[-1].due_ms, page[-1].id)


def find(store: Store, id: str) -> Job | None:
    """The job with this id, or None."""
    return store.get((id,))[0]


# ---- optional capabilities of a store ----------------------------------------------------------------------


@runtime_checkable
class Wakeup(Protocol):
    """A store that can wake a scheduler before the next tick."""

    def wait(self, timeout_s: float) -> bool:
        """Sleep until notify(), a change by another process, or ``timeout_s``. Returns whether it was woken."""

    def notify(self) -> None:
        """End the wait() of this process."""


@runtime_checkable
class Density(Protocol):
    """A store that can tell how full its ring is."""

    def density(self, now_ms: int, horizon_s: int = 3600) -> list[int]:
        """The number of jobs in each of the 3600 slots that are due before ``now_ms`` + ``horizon_s`` seconds."""


@runtime_checkable
class Streaming(Protocol):
    """A store that can yield its jobs one by one, because nothing changes it meanwhile."""

    def each(self, filter: Filter = Filter()) -> Iterator[Job]:
        """The jobs that pass the filter, in the order (due_ms, id)."""


@runtime_checkable
class Beginning(Protocol):
    """A store that is told which jobs have started, so that only these are counted as crashed if the owner dies."""

    def begin(self, owner: str, token: int) -> None:
        """The job with this token is about to start; those before it have started. 0 before the owner's first claim.

        This must be cheap, and need not survive a power failure. If an owner has never called it, all its jobs count
        as started.

        Raises:
            StoreError: it could not be recorded; the job must not start.
        """
