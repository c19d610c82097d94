"""What must hold of a store whose worker was told to stop."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator

from hourwheel.contract import Filter
from hourwheel.job import Job, State
from hourwheel.store import JsonStore

from ..fork.site import held_elsewhere
from ..processes import lines_of
from .worker import Files

_FAR_MS = 1 << 45


def judge(files: Files, *, graceful: bool, clean: bool) -> Iterator[str]:
    """Everything that is wrong.

    Args:
        files: of the worker, which has ended.
        graceful: it had its time: what it ended is recorded, what it had not begun is back in the ring.
        clean: it closed the store, so that none of its locks and signs is left.
    """
    if not os.path.exists(files.store):
        if lines_of(files.added):
            yield "jobs were acknowledged, and there is no store"
        return
    if held_elsewhere(files.store + ".lock"):
        yield "the lock is held, and nobody lives"
    directory = os.path.dirname(files.store)
    signs = [name for name in os.listdir(directory) if ".owner." in name]
    if clean and signs:
        yield f"life signs were left: {signs}"
    store = JsonStore(files.store, durability="os")
    yield from (f"check: {violation}" for violation in store.check())
    yield from _jobs(store, files, graceful=graceful)
    yield from _all_are_free(store)
    store.close()


def _jobs(store: JsonStore, files: Files, *, graceful: bool) -> Iterator[str]:
    held = {job.id: job for job in store.scan(Filter(), limit=1 << 30)}
    begun = [(id, int(token)) for id, token in lines_of(files.begun)]
    starts = Counter(id for id, _ in begun)
    ended = {id for id, _ in lines_of(files.ended)}
    if max(Counter(token for _, token in begun).values(), default=0) > 1:
        yield "one claim was started twice"
    for id, name in lines_of(files.added):
        if id not in held:
            yield f"a job of {name} that was acknowledged is lost"
    for id, job in held.items():
        yield from _job(job, starts[id], id in ended, (id, job.token) in begun, graceful=graceful)


def _job(job: Job, starts: int, ended: bool, begun: bool, *, graceful: bool) -> Iterator[str]:
    if starts > 1:
        yield f"a job of {job.task} was started {starts} times, and nobody had died"
    if job.state in (State.SUCCEEDED, State.FAILED) and not starts:
        yield f"a job of {job.task} is {job.state}, and was never started"
    if not graceful:
        return
    if job.state is State.RUNNING and not begun:
        yield f"a job of {job.task} was claimed, not begun, and not given back"
    if ended and job.state is not State.SUCCEEDED:
        yield f"a job of {job.task} ended in time, and is {job.state}"
    if job.attempt != starts:
        yield f"a job of {job.task} counts {job.attempt} attempts and was started {starts} times"


def _all_are_free(store: JsonStore) -> Iterator[str]:
    """Whoever comes next gets everything that has not ended."""
    unfinished = store.scan(Filter(states=frozenset({State.SCHEDULED, State.RUNNING})), limit=1 << 30)
    claimed = {claim.job.id for claim in store.claim("heir", _FAR_MS, 1 << 20)}
    stuck = [job for job in unfinished if job.id not in claimed]
    if stuck:
        yield f"{len(stuck)} jobs are held by a process that has ended, such as one of {stuck[0].task}"
