"""Change all jobs that some options choose, a thousand with each durable write.

The jobs are chosen first, each with its token, then counted and asked about, and then changed. What has been claimed
in between has another token, and is left alone: no job is changed that ran since it was chosen, and none twice, even
if two people do the same at once. How many were left alone, and why, is told at the end.
"""

from __future__ import annotations

from argparse import Namespace
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Final

from ....contract import Found, Store, pages
from ....errors import DuplicateJob, InvalidValue
from ....explain.when import counted
from ....job import Job, State
from ...choosing import FILTERS, chooses, filter_of, limit, tell_strangers
from ...command import Argument, Context, argument, as_json
from ...outcome import NO, YES, CommandError
from ...places import opened
from ..jobs import list_jobs

PAGE: Final = 100_000
"""How many jobs to read at once; a store in a file reads all of them for each page."""
_WRITE: Final = 1_000
_KEY: Final = "key"
_WHY: Final = {
    Found.CHANGED: "started since",
    Found.RUNNING: "running",
    Found.SCHEDULED: "scheduled already",
    Found.FINISHED: "finished already",
    Found.UNKNOWN: "gone",
    _KEY: "another job holds the key",
    "expires": "would expire before it is due",
}
ASKING: Final = (
    argument("-y", "--yes", action="store_true", help="do not ask; needed where there is no terminal"),
    argument("--dry-run", action="store_true", help="only list the jobs that would be changed"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """What is to be done to jobs."""

    name: str
    """The command: "cancel"."""
    done: str
    """What the jobs are afterwards: "cancelled"."""
    change: Callable[[Store, Sequence[str], Sequence[int]], list[Found]]
    """Changes the jobs with these ids and tokens."""
    answers: frozenset[Found]
    """What it answers for a job that it has changed."""
    states: frozenset[State]
    """The states of the jobs that are chosen without --state."""
    possible: frozenset[State]
    """The states that --state may name."""
    refuses: Callable[[Job], bool] = lambda _: False
    """Whether a job would expire."""
    unique: bool = False
    """Whether of jobs with the same key only one can be changed: the one that is due last."""


@dataclass(slots=True)
class _Chosen:
    """The jobs that are to be changed."""

    tokens: dict[str, int] = field(default_factory=dict)
    """Their tokens, by their ids."""
    states: Counter[State] = field(default_factory=Counter)
    left: Counter[str] = field(default_factory=Counter)
    """How many of those that the options choose are left alone, by the reason."""
    by_key: dict[str, Job] = field(default_factory=dict)

    def take(self, job: Job, deed: Deed) -> None:
        if deed.refuses(job):
            self.left["expires"] += 1
            return
        if deed.unique and job.key is not None:
            other = self.by_key.get(job.key)
            if other is not None and other.id != job.id:
                del self.tokens[other.id]
                self.states[other.state] -= 1
                self.left[_KEY] += 1
            self.by_key[job.key] = job
        if job.id not in self.tokens:
            self.states[job.state] += 1
        self.tokens[job.id] = job.token


def options(deed: str, states: str) -> tuple[Argument, ...]:
    """The options of a command that changes ids, or all jobs that are chosen; ``states``: which without --state."""
    return (
        *FILTERS,
        limit(f"{deed} at most N jobs, those that are due first"),
        argument("--all", action="store_true", help=f"choose all {states} jobs, whatever their queue, task or age"),
        *ASKING,
        as_json("the outcome"),
    )


def is_wanted(args: Namespace) -> bool:
    """Whether options choose the jobs, and not ids.

    Raises:
        InvalidValue: neither does, or both do.
    """
    chosen = args.all or chooses(args)
    if args.id and (chosen or args.dry_run or args.limit is not None):
        taken = f"; {args.id[0]!r} is taken for an id, as there is no store at that path"
        raise InvalidValue(f"pass ids of jobs, or options that choose jobs, not both{taken}")
    if not args.id and not chosen:
        raise InvalidValue("pass ids of jobs, or options that choose jobs, such as --queue or --error; --all for all")
    return not args.id


def change_chosen(args: Namespace, context: Context, deed: Deed) -> int:
    """Change the jobs that the options choose, and return the exit status."""
    now_ms = context.clock.now_ms()
    impossible = sorted((args.state or deed.states) - deed.possible)
    if impossible:
        raise InvalidValue(
            f"{deed.name} is not for {impossible[0]} jobs; use --state {','.join(sorted(deed.possible))}"
        )
    chosen = filter_of(args, now_ms, deed.states)
    with opened(args, context.environ) as store:
        jobs = islice(pages(store, chosen, PAGE), args.limit or None)
        first = next(jobs, None)
        if first is None:
            tell_strangers(store, args, context)
        return change(jobs if first is None else chain((first,), jobs), store, args, context, deed)


def change(jobs: Iterator[Job], store: Store, args: Namespace, context: Context, deed: Deed) -> int:
    """Ask, change jobs, and say what became of them; return the exit status."""
    if args.dry_run:
        return list_jobs(jobs, args, context)
    found = _Chosen()
    for job in jobs:
        found.take(job, deed)
    if found.tokens and not _agreed(found, store, args, context, deed):
        context.console.error("hourwheel: nothing was changed")
        return NO
    return _tell(_change_all(store, found, deed, context), args, context, deed)


def _agreed(found: _Chosen, store: Store, args: Namespace, context: Context, deed: Deed) -> bool:
    if args.yes:
        return True
    states = ", ".join(f"{count:,} {state}" for state, count in sorted(found.states.items()) if count)
    what = f"{deed.name} {counted(len(found.tokens))} of {getattr(store, 'path', repr(store))} ({states})"
    answer = context.console.ask(f"{what}? [y/N] ")
    if answer is None:
        raise CommandError(f"there is no terminal to ask at; pass --yes to {what}, or --dry-run to list them")
    return answer.strip().lower() in ("y", "yes")


def _change_all(store: Store, found: _Chosen, deed: Deed, context: Context) -> Counter[str]:
    """Change the chosen jobs. Returns how many were found how, and those that were left alone."""
    outcomes = Counter(found.left)
    done = 0
    items = iter(found.tokens.items())
    try:
        while some := list(islice(items, _WRITE)):
            outcomes.update(_change_some(store, some, deed))
            done += len(some)
    except BaseException:
        if done:
            context.console.error(f"hourwheel: stopped after at least {done:,} of {counted(len(found.tokens))}")
        raise
    return outcomes


def _change_some(store: Store, some: Sequence[tuple[str, int]], deed: Deed) -> Counter[str]:
    """Change jobs in one write; if the key of one has been taken, in as few as it needs to find out whose."""
    ids, tokens = zip(*some, strict=True)
    try:
        return Counter(map(str, deed.change(store, ids, tokens)))
    except DuplicateJob:
        if len(some) == 1:
            return Counter([_KEY])
    half = len(some) // 2
    return _change_some(store, some[:half], deed) + _change_some(store, some[half:], deed)


def _tell(outcomes: Counter[str], args: Namespace, context: Context, deed: Deed) -> int:
    answers = set(map(str, deed.answers))
    done = sum(count for name, count in outcomes.items() if name in answers)
    left = {name: count for name, count in sorted(outcomes.items()) if name not in answers and count}
    if args.json:
        context.console.json({"chosen": done + sum(left.values()), deed.done.replace(" ", "_"): done, "left": left})
    elif not outcomes:
        context.console.line("no jobs")
    else:
        context.console.line(f"{counted(done)} {deed.done}")
        for name, count in left.items():
            context.console.line(f"{count:,} left alone: {_WHY[name]}")
    return NO if left else YES
