"""``hourwheel forget``: drop finished jobs before their time."""

from __future__ import annotations

from argparse import Namespace
from typing import Final

from ....contract import Found
from ....job import FINISHED
from ...command import JOBS, Command, Context
from ...outcome import NO, YES
from ...places import opened, take_store
from . import bulk
from .bulk import Deed

_WHY: Final = {
    Found.RUNNING: "it is running",
    Found.SCHEDULED: "it is scheduled; `hourwheel cancel` ends it",
    Found.UNKNOWN: "there is no such job",
}
_DEED: Final = Deed(
    name="forget",
    done="forgotten",
    change=lambda store, ids, tokens: store.forget(ids, tokens=tokens),
    answers=frozenset({Found.FINISHED}),
    states=FINISHED,
    possible=FINISHED,
)


@Command(
    name="forget",
    summary="drop finished jobs, with their arguments and results",
    description="Drop finished jobs now, instead of when their result_ttl is over, durably: by their ids, or all that "
    "options choose, a thousand with each write. A job that waits for the result of one does not find it. Exit status "
    "1 if any of the jobs was not finished or is unknown.",
    examples=(
        "hourwheel forget invoice:42 --store tasks.json",
        "hourwheel forget -A shop.tasks --state failed --task shop.mail.* --older 3d",
    ),
    takes=(*JOBS, *bulk.options("forget", "finished")),
    use="changes",
)
def forget(args: Namespace, context: Context) -> int:
    take_store(args, args.id)
    if bulk.is_wanted(args):
        return bulk.change_chosen(args, context, _DEED)
    with opened(args, context.environ) as store:
        found = store.forget(args.id)
    each = list(zip(args.id, found, strict=True))
    if args.json:
        context.console.json([{"id": id, "forgotten": one is Found.FINISHED, "found": str(one)} for id, one in each])
    else:
        for id, one in each:
            outcome = "forgotten" if one is Found.FINISHED else f"not forgotten, {_WHY[one]}"
            context.console.line(f"{id}: {outcome}")
    return YES if all(one is Found.FINISHED for one in found) else NO
