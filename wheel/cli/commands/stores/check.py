"""``hourwheel check``: check a store's integrity. ``hourwheel compact``: fold its journal into the file."""

from __future__ import annotations

from argparse import Namespace

from ....errors import StoreCorrupt, StoreIncomplete
from ....store import JsonStore
from ....store.file.repair import Glance, Salvage, accept_edit, glance, is_large, survey
from ...command import STORE, Context, argument, as_json, command
from ...console import Cell
from ...describe import ledger
from ...findings import documents, show_damages, show_lines
from ...outcome import NO, YES, CommandError
from ...places import file_of, opened, url_of


@command(
    "check",
    summary="check that a store is sound, or show what is damaged",
    description="Read the whole store, check every invariant, and show each damaged place. "
    "Exit status 1 if it is not sound.",
    examples=(
        "hourwheel check tasks.json",
        "hourwheel check tasks.json --accept-edit",
        "hourwheel check -A shop.tasks --json",
    ),
    takes=(
        *STORE,
        argument(
            "--accept-edit",
            action="store_true",
            help="accept a file that you have edited: update its checksum, counts and index. Stop the workers first. "
            "Your file is kept as STORE.before-edit",
        ),
        as_json("the findings"),
    ),
)
def check(args: Namespace, context: Context) -> int:
    console = context.console
    if args.accept_edit:
        _accept(args, context)
    try:
        with opened(args, context.environ) as store:
            violations = store.check()
            stats = store.stats(context.clock.now_ms())
            name = str(getattr(store, "path", repr(store)))
    except StoreCorrupt as error:
        return _report_damage(args, context, error)
    if args.json:
        console.json({"store": name, "sound": not violations, "violations": violations, "damages": [], "notes": []})
    elif violations:
        console.prose(Cell(f"{name}: ", "red"), "not sound")
        show_lines(console, "  ", violations)
    else:
        console.prose(Cell(f"{name}: ", "green"), f"sound, {ledger(stats)}")
    return NO if violations else YES


def _accept(args: Namespace, context: Context) -> None:
    path = file_of(url_of(args, context.environ))
    accepted = accept_edit(path)
    if args.json:
        return
    if accepted is None:
        context.console.prose("", f"{path}: the file was not edited")
    else:
        done = f"the edit was accepted: {accepted.jobs:,} jobs, now epoch {accepted.epoch}"
        context.console.prose("", f"{path}: {done}; your file was kept as {accepted.kept_as}")


def _report_damage(args: Namespace, context: Context, error: StoreCorrupt) -> int:
    console = context.console
    path = file_of(url_of(args, context.environ))
    found: Salvage | Glance = glance(path) if is_large(path) else survey(path)
    incomplete = isinstance(error, StoreIncomplete)
    first = error.reason if incomplete else f"{error.path}: byte {error.offset}: {error.reason}"
    if args.json:
        damages = documents(found.damages)
        console.json({"store": path, "sound": False, "violations": [first], "damages": damages, "notes": found.notes})
        return NO
    console.prose(Cell(f"{path}: ", "red"), first if incomplete else f"damaged; the store stops at {first}")
    show_damages(console, found.damages)
    show_lines(console, "note: ", found.notes)
    console.prose("", "nothing was changed; `hourwheel repair` saves what can be read to a new store beside it")
    return NO


@command(
    "compact",
    summary="fold the journal into the file, so that you can read or edit it",
    description="Write all jobs into the JSON file itself, one per line, and start a new journal. "
    "Workers may be running.",
    examples=("hourwheel compact tasks.json",),
    takes=STORE,
    use="changes",
)
def compact(args: Namespace, context: Context) -> int:
    with opened(args, context.environ) as store:
        if not isinstance(store, JsonStore):
            raise CommandError(f"only a JSON store can be compacted, got {store!r}")
        store.compact()
        context.console.prose("", f"{store.path}: all jobs are in the file itself now, one per line")
    return YES
