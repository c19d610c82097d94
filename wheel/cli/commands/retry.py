"""``hourwheel retry``: run finished jobs again."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator
from typing import Any, Final

from ...contract import Filter, Found, Store, find
from ...errors import DuplicateJob, InvalidValue
from ...explain.when import read_span
from ...job import State
from ...tasks.options.times import refuse_too_late
from ..command import STORE_OPTION, Context, argument, as_json, checked, command, job_id
from ..outcome import NO, YES
from ..places import opened

_WHY: Final = {
    Found.RUNNING: "it is running",
    Found.SCHEDULED: "it is already scheduled",
    Found.UNKNOWN: "there is no such job",
}


@command(
    "retry",
    summary="run finished jobs again",
    description="Schedule finished jobs again, whether they failed, were cancelled, expired or succeeded. Attempts "
    "are counted from zero again. Exit status 1 if any of the jobs was not finished or is unknown.",
    examples=(
        "hourwheel retry 019abf2e-6d3c-7d2a-8a3e-2f5c0c7d9b11 --store tasks.json",
        "hourwheel retry --failed --task shop.mail.welcome -A shop.tasks",
    ),
    takes=(
        argument("id", nargs="*", metavar="ID", type=job_id, help="ids of jobs"),
        argument("--failed", action="store_true", help="all failed jobs, instead of ids"),
        argument("--task", metavar="NAME", help="with --failed: only jobs of this task"),
        argument(
            "--countdown", metavar="SPAN", type=checked(read_span), default=0, help="how long from now; default: now"
        ),
        *STORE_OPTION,
        as_json("the outcome for each"),
    ),
    use="changes",
)
def retry(args: Namespace, context: Context) -> int:
    if bool(args.id) is args.failed:
        raise InvalidValue("pass ids of jobs or --failed, not both" if args.id else "pass ids of jobs, or --failed")
    if args.task is not None and not args.failed:
        raise InvalidValue("--task needs --failed")
    now_ms = context.clock.now_ms()
    with opened(args, context.environ) as store:
        outcomes = [_again(store, id, now_ms + args.countdown, now_ms) for id in _ids(args, store)]
    if args.json:
        context.console.json(outcomes)
    else:
        for one in outcomes:
            why = "" if one["scheduled"] else f"not scheduled, {one['why']}"
            context.console.line(f"{one['id']}: {why or 'scheduled again'}")
        if not outcomes:
            context.console.line("no jobs")
    return YES if all(one["scheduled"] for one in outcomes) else NO


def _ids(args: Namespace, store: Store) -> Iterator[str]:
    if args.failed:
        yield from (job.id for job in store.scan(Filter(states=frozenset({State.FAILED}), task=args.task)))
    yield from args.id


def _again(store: Store, id: str, due_ms: int, now_ms: int) -> dict[str, Any]:
    job = find(store, id)
    try:
        if job is not None and job.state is State.SCHEDULED:
            found = Found.SCHEDULED
        else:
            refuse_too_late(due_ms, None if job is None else job.expires_ms)
            found = store.revive([id], due_ms, now_ms)[0]
        why = _WHY.get(found)
    except (DuplicateJob, InvalidValue) as error:
        why = str(error)
    return {"id": id, "scheduled": why is None, "why": why}
