"""``hourwheel preflight``: before a deployment, find pending jobs that the new code could not run."""

from __future__ import annotations

from argparse import Namespace
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final

from ...contract import Filter, pages
from ...explain.known import Judge, Known
from ...explain.when import counted, local, utc
from ...job import Job, State
from ...settings.checks import checked_queues
from ..choosing import say_odd_queues
from ..command import STORE_OPTION, Command, Context, argument, as_json, pool, queues
from ..console import Cell
from ..outcome import NO, YES
from ..places import app_of, opened

if TYPE_CHECKING:
    from ...scheduler.scheduler import Scheduler

_PENDING: Final = Filter(states=frozenset({State.SCHEDULED, State.RUNNING}))


@dataclass(slots=True, kw_only=True)
class Problem:
    """A problem with the jobs of one task."""

    task: str
    """The name of the task in the jobs."""
    kind: str
    """"unknown", "misfit", "refused" or "orphaned"."""
    why: str
    near: tuple[str, ...] = ()
    count: int = 0
    example: str | None = None
    """The id of the job that is due first."""
    due_ms: int | None = None
    """When that job is due."""


@dataclass(slots=True, kw_only=True)
class Findings:
    """The result of checking all pending jobs."""

    pending: int = 0
    elsewhere: int = 0
    """Jobs in other queues, which were not checked."""
    bad: int = 0
    problems: dict[tuple[str, str, str], Problem] = field(default_factory=dict)
    aliases: Counter[tuple[str, str]] = field(default_factory=Counter)
    """How many jobs have a former name of a task, by (name in the store, name now)."""

    def note(self, job: Job, known: Known) -> None:
        """Add one job."""
        if known.name is not None and known.name != job.task:
            self.aliases[job.task, known.name] += 1
        if known.sound:
            return
        self.bad += 1
        for kind, why in _wrong(known):
            problem = self.problems.setdefault((job.task, kind, why), Problem(task=job.task, kind=kind, why=why))
            problem.near = known.near
            problem.count += 1
            if problem.due_ms is None or job.due_ms < problem.due_ms:
                problem.example, problem.due_ms = job.id, job.due_ms


def findings_of(jobs: Iterable[Job], judge: Judge, queues: Collection[str] | None = None) -> Findings:
    """Check pending jobs against what an app knows. Nothing is run."""
    found = Findings()
    for job in jobs:
        if queues is not None and job.queue not in queues:
            found.elsewhere += 1
            continue
        found.pending += 1
        found.note(job, judge.known(job))
    return found


def _wrong(known: Known) -> Iterable[tuple[str, str]]:
    if known.name is None:
        yield "unknown", "the app has no task of that name"
    if known.misfit is not None:
        yield "misfit", known.misfit
    if known.refusal is not None:
        yield "refused", known.refusal
    if known.orphaned is not None:
        yield "orphaned", f"the app has no schedule {known.orphaned}; if you removed it, run `hourwheel cancel`"


def _unused(app: Scheduler, found: Findings) -> None:
    """Add tasks without jobs that the pool cannot run: a worker would refuse to start with them."""
    for name in app.registry.names():
        task = app.registry.get(name)
        why = app.pool.kind.refusal(task, task.limits.over(app.pool.limits))
        plan = task.plan if app.routes is None else app.routes.place(name, task.plan)
        if why is not None and (app.queues is None or plan.queue in app.queues):
            found.problems.setdefault((name, "refused", why), Problem(task=name, kind="refused", why=why))


# ---- the command -----------------------------------------------------------------------------------------


@Command(
    name="preflight",
    summary="before a deployment, find jobs that the new code could not run",
    description="Check every pending job against the app: does it have the task, by its name or an alias; do the "
    "stored arguments fit the function; can the pool enforce the time limits. Nothing is run or changed. Exit status 1 "
    "if there is a problem.",
    examples=(
        "hourwheel preflight -A shop.tasks",
        "hourwheel preflight -A shop.tasks --store /srv/shop/tasks.json --json",
    ),
    takes=(
        argument("store", nargs="?", metavar="STORE", help="path or URL of a store; default: the app's"),
        *STORE_OPTION,
        queues("check jobs of these queues only"),
        pool("check for this pool"),
        as_json("the findings"),
    ),
)
def preflight(args: Namespace, context: Context) -> int:
    app = app_of(args, context.environ)
    if args.queues is not None:
        app.queues = checked_queues(args.queues)
        say_odd_queues(app, args.queues, context)
    if args.pool is not None:
        app.pool = app.pool.but(pool=args.pool, given_workers=None, max_tasks_per_child=None, max_memory_per_child=None)
    with opened(args, context.environ) as store:
        found = findings_of(pages(store, _PENDING), Judge.of(app), app.queues)
        name = str(getattr(store, "path", repr(store)))
    _unused(app, found)
    if args.json:
        context.console.json(_document(name, found))
    else:
        _show(name, found, context)
    return NO if found.problems else YES


def _document(name: str, found: Findings) -> dict[str, Any]:
    return {
        "store": name,
        "sound": not found.problems,
        "pending": found.pending,
        "elsewhere": found.elsewhere,
        "bad": found.bad,
        "problems": [{**asdict(one), "due": utc(one.due_ms)} for one in _sorted(found)],
        "aliases": [{"stored": old, "name": new, "count": n} for (old, new), n in sorted(found.aliases.items())],
    }


def _sorted(found: Findings) -> list[Problem]:
    return sorted(found.problems.values(), key=lambda one: (-one.count, one.task, one.kind))


def _show(name: str, found: Findings, context: Context) -> None:
    console = context.console
    for (old, new), count in sorted(found.aliases.items()):
        console.prose(Cell("alias: ", "dim"), f"{counted(count)} stored as {old} will run as {new}")
    for one in _sorted(found):
        console.prose(Cell(f"{one.task}: ", "red"), f"{counted(one.count)}: {_described(one)}")
    lead = f"{name}: {counted(found.pending)} pending"
    if found.elsewhere:
        lead += f", and {found.elsewhere:,} in other queues"
    if found.problems:
        console.prose(Cell(f"{lead}: ", "red"), f"{found.bad:,} could not be run; nothing was changed")
    else:
        console.prose(Cell(f"{lead}: ", "green"), "the app can run them all")


def _described(one: Problem) -> str:
    guess = f"; if it is called {' or '.join(one.near)} now, add aliases=[{one.task!r}]" if one.near else ""
    example = "" if one.example is None or one.due_ms is None else f" (such as {one.example}, due {local(one.due_ms)})"
    refused = ": a worker would not start" if one.kind == "refused" and not one.count else ""
    return f"{one.why}{guess}{example}{refused}"
