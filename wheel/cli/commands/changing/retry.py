"""``hourwheel retry``: run finished jobs again."""

from __future__ import annotations

from argparse import Namespace
from typing import Any, Final

from ....contract import Found, Store, find
from ....errors import DuplicateJob, InvalidValue
from ....explain.when import read_span
from ....job import FINISHED, State
from ....tasks.options.times import refuse_too_late
from ...command import JOBS, Command, Context, argument, checked, later
from ...outcome import NO, YES
from ...places import opened, take_store
from . import bulk
from .bulk import Deed

_WHY: Final = {
    Found.RUNNING: "it is running",
    Found.SCHEDULED: "it is already scheduled",
    Found.UNKNOWN: "there is no such job",
}
_FAILED: Final = frozenset({State.FAILED})


@Command(
    name="retry",
    summary="run finished jobs again",
    description="Schedule finished jobs again, whether they failed, were cancelled, expired or succeeded: by their "
    "ids, or all failed ones that options choose (or those of --state), a thousand with each durable write. Attempts "
    "are counted from zero again. Exit status 1 if any of the jobs was not finished or is unknown, or another job "
    "holds its key.",
    examples=(
        "hourwheel retry 019abf2e-6d3c-7d2a-8a3e-2f5c0c7d9b11 --store tasks.json",
        "hourwheel retry --failed --task shop.mail.welcome -A shop.tasks",
        "hourwheel retry tasks.json --error TimeoutError --newer 2h --yes",
    ),
    takes=(
        *JOBS,
        argument("--failed", action="store_const", dest="state", const=_FAILED, help="the same as --state failed"),
        argument(
            "--countdown", metavar="SPAN", type=checked(read_span), default=0, help="how long from now; default: now"
        ),
        *bulk.options("retry", "failed"),
    ),
    use="changes",
)
def retry(args: Namespace, context: Context) -> int:
    take_store(args, args.id)
    now_ms = context.clock.now_ms()
    due_ms = later(args.countdown, now_ms)
    if bulk.is_wanted(args):
        return bulk.change_chosen(args, context, _deed(due_ms, now_ms))
    with opened(args, context.environ) as store:
        outcomes = [_again(store, id, due_ms, now_ms) for id in args.id]
    if args.json:
        context.console.json(outcomes)
    else:
        for one in outcomes:
            why = "" if one["scheduled"] else f"not scheduled, {one['why']}"
            context.console.line(f"{one['id']}: {why or 'scheduled again'}")
    return YES if all(one["scheduled"] for one in outcomes) else NO


def _deed(due_ms: int, now_ms: int) -> Deed:
    return Deed(
        name="retry",
        done="scheduled again",
        change=lambda store, ids, tokens: store.revive(ids, due_ms, now_ms, tokens=tokens),
        answers=frozenset({Found.FINISHED}),
        states=_FAILED,
        possible=FINISHED,
        refuses=lambda job: job.expires_ms is not None and job.expires_ms <= due_ms,
        unique=True,
    )


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
