"""Replay with gaps: bring a state up to date by records of which some are lost.

The strict replay (State.apply) trusts that each record finds its job as the record before has left it. With a record
lost that fails, but the records that are there prove more than themselves. A settlement with token 7 proves that the
job was claimed with token 7, whether or not that claim can be read; a claim with token 9 proves that the run with
token 7 ended without finishing the job. So before a record is applied, records made up for the purpose bring the job to
the state that it must have had. What a record does to a job is still said once, in State.apply.

Where nothing proves more, the last proved state stands: a job whose settlement is lost is still running, its owner is
dead, and so it starts again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from ....job import Job
from ....job import State as JobState
from ....turn import Again, End, Keep
from ...codec import decode_job, peek
from ...state.counts import Counts
from ...state.limits import Limits
from ...state.records import (
    Awaited,
    Cancelled,
    Claimed,
    Forgotten,
    JobRecord,
    Moved,
    Paused,
    Record,
    Rescued,
    Resumed,
    Revived,
    Settled,
    Tidied,
    decode_record,
)
from ...state.state import Row, State
from .shape import is_canonical, job_of

_ENDED: Final = "it had ended, how is not known, and it was forgotten"
UNKNOWN_OWNER: Final = "unknown"
"""The owner of a job whose claim is lost; no owner has this name."""


class Replay:
    """A state, and what did not fit into it."""

    def __init__(
        self, *, counts: Counts | None = None, hand: int = 0, token: int = 0, limits: Limits | None = None
    ) -> None:
        self.state = State(counts=counts, hand=hand, token=token, limits=limits)
        self.contradictions: list[str] = []
        """Records that contradict what else is known, and were left out."""
        self.forgotten: set[str] = set()
        """Jobs that were dropped on purpose."""
        self.unknown: dict[str, str] = {}
        """Jobs that records name although none has their arguments: id -> what happened last."""

    def hold(self, row: Row) -> None:
        """Take a job of the snapshot, which is already counted."""
        state = self.state
        if isinstance(row, bytes) and b'"key":' not in row and b'"token":' not in row:
            id, due_ms = peek(row)  # the usual kind; there may be a million of them
            state.rows[id] = row
            state.ring.add(id, due_ms)
            return
        job = row if isinstance(row, Job) else decode_job(row)
        state.rows[job.id] = row
        state.token = max(state.token, job.token)
        state.place(job)
        if job.state is JobState.RUNNING:
            state.running[job.id] = job.owner or UNKNOWN_OWNER
            state.limits.resume(job)
            if job.key is not None and state.holder(job.key) is None:
                state.keys.add(job.key, job.id)

    def apply(self, fields: Mapping[str, Any], text: bytes) -> None:
        """Apply one record of the journal, as far as it fits."""
        try:
            match fields["op"]:
                case "seal" | "unseal":
                    return
                case "add":
                    self._add(fields["job"], text)
                case _:
                    self._apply(decode_record(dict(fields)))
        except (ValueError, KeyError, TypeError, AttributeError, AssertionError, IndexError) as error:
            self.contradictions.append(f"record {fields.get('seq')}: {error}")

    def _add(self, fields: Mapping[str, Any], text: bytes) -> None:
        job = job_of(fields)
        if job.id in self.state.rows:
            return
        raw = text[text.index(b'"job":') + 6 : -1]
        row = raw if is_canonical(raw, job) else job
        self.state.insert(job.id, job.due_ms, row, job.key, ranked=job.priority != 0)
        self.unknown.pop(job.id, None)

    def _apply(self, record: Record) -> None:
        if isinstance(record, Tidied):
            self._tidy(record)
            return
        if isinstance(record, (Paused, Resumed)):
            self.state.apply(record)
            return
        for id, single in _singles(record):
            self._apply_single(id, single)

    def _tidy(self, record: Tidied) -> None:
        rows = self.state.rows
        over = [id for over_ms, id in self.state.over if over_ms <= record.now_ms and id in rows]
        self.state.apply(record)
        self.forgotten.update(id for id in over if id not in rows)

    def _apply_single(self, id: str, record: JobRecord) -> None:
        job = self.state.get(id)
        if job is not None:
            for needed in _bridge(job, record):
                self.state.apply(needed)
        elif not isinstance(record, Forgotten):
            self.unknown[id] = _word(record)
        if isinstance(record, Forgotten):
            self.forgotten.add(id)
            self.unknown.pop(id, None)
            self.state.rows.pop(id, None)  # nothing is frozen here, so no tombstone is needed


def _singles(record: JobRecord) -> Iterator[tuple[str, JobRecord]]:
    """The record, split into records about one job each."""
    match record:
        case Settled(items=items):
            for item in items:
                yield item[0], record._replace(items=[item])
        case Claimed(ids=ids, token=token):
            for n, id in enumerate(ids):
                yield id, record._replace(ids=[id], token=token + n)
        case _:
            for id in record.ids:
                yield id, record._replace(ids=[id])


def _bridge(job: Job, record: JobRecord) -> list[JobRecord]:
    """What brings ``job`` to where ``record`` finds it, and the record; [] if the record says nothing new."""
    if isinstance(record, Awaited):
        return [record]
    if job.finished:
        return [record] if isinstance(record, Revived | Forgotten) else []
    if not _is_news(job, record):
        return []
    match record:
        case Revived():
            return [*_end_run(job, 0), Moved([job.id], record.due_ms)]
        case Settled(items=[(_, token, _)], now_ms=now_ms) if token > job.token:
            before = [*_end_run(job, now_ms), Claimed(UNKNOWN_OWNER, now_ms, token, [job.id])]
        case Settled() | Rescued():
            before = []
        case Forgotten():
            before = [*_end_run(job, 0), Cancelled(0, [job.id], _ENDED)]
        case Moved():
            before = _end_run(job, 0)
        case _:
            before = _end_run(job, record.now_ms)
    return [*before, record]


def _is_news(job: Job, record: JobRecord) -> bool:
    """Whether a record says more about a job than is known."""
    running = job.state is JobState.RUNNING
    match record:
        case Claimed(token=token):
            return token > job.token
        case Settled(items=[(_, token, _)]):
            return token > job.token or (running and token == job.token)
        case Rescued():
            return running
    return True


def _end_run(job: Job, now_ms: int) -> list[JobRecord]:
    """Bring a running job back to scheduled: as more happened to it, its run ended without finishing it."""
    if job.state is not JobState.RUNNING:
        return []
    return [Settled(now_ms, [(job.id, job.token, Again(job.due_ms))])]


def _word(record: JobRecord) -> str:
    match record:
        case Settled(items=[(_, _, End(state=state))]):
            return state.value
        case Settled(items=[(_, _, Again())]):
            return "scheduled again"
        case Settled(items=[(_, _, Keep())]):
            return "running"
    return type(record).__name__.lower()
