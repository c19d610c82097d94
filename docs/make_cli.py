"""Writes docs/cli.md from the parser itself, so that the page cannot say anything else. Run: python docs/make_cli.py"""

from __future__ import annotations

import re
from argparse import ArgumentParser, _HelpAction
from pathlib import Path
from textwrap import fill

from hourwheel.cli.command import Command
from hourwheel.cli.program import COMMANDS

_INTRODUCTION = """\
# Command line

<!-- Made by docs/make_cli.py from the parser; a test compares them. -->

`hourwheel` looks after a store, or runs the jobs of an app. `hourwheel COMMAND --help` says what this page says;
`python -m hourwheel.cli` is the same program.

**Which store.** STORE is a path (`tasks.json`) or URL (`json:/var/lib/shop/tasks.json`). Wherever a store can be
named, `-A module:app` can stand in its place: then it is the store of that Scheduler. Modules are found from the
current directory first. In `-A module` the Scheduler is the module's `app`, its `scheduler`, or else the only one
in it; `-A package.module:name` and `-A package.module.name` say which. `-A` may stand before the command as well,
as Celery has it. `HOURWHEEL_STORE` is the default of STORE and `--store`, `HOURWHEEL_APP` that of `-A`; what is said
comes before what is in the environment, and that before the `store` of a [TOML table](configuration.md#a-toml-table).
To look at a store never makes one.

**Exit status.** 0 yes: it was done, it is so. 1 no: no such job, not cancelled, not sound. 2 it could not be
answered: wrong use, no store there, a store that is damaged or in use. So a script never takes a damaged store for
a job that does not exist. Ctrl-C is 130, a reader that went away (`| head`) 141, a bug of ours 70.

**Times** are shown on this machine's clock with their zone, and from now. A time that you write without a zone is
local: `--eta 2026-12-24T18:00`; with one it is that: `2026-12-24T18:00Z`. A length of time is a number of seconds,
or `15m`, `1h30m`, `2d`.

**For programs.** `--json` writes one JSON document; instants in it are milliseconds since the epoch (`due_ms`), with
ISO 8601 in UTC beside them (`due`). Colours are for terminals only, and `NO_COLOR` is respected. What a task was
called with is shown with its control characters escaped. `HOURWHEEL_DEBUG=1` shows the traceback behind an error.
"""


def page() -> str:
    """The whole page."""
    rows = [f"| [`{c.name}`](#hourwheel-{c.name}) | {c.summary} |" for c in COMMANDS]
    contents = "\n".join(["| command | |", "| --- | --- |", *rows])
    return "\n".join([_INTRODUCTION, contents, *map(_section, COMMANDS), ""])


def _section(command: Command) -> str:
    parser = ArgumentParser(prog=f"hourwheel {command.name}")
    command.arguments(parser)
    examples = "\n".join(command.examples)
    described = fill(command.description, 118)
    return f"\n## hourwheel {command.name}\n\n{described}\n\n```text\n{examples}\n```\n\n{_options(parser)}"


def _options(parser: ArgumentParser) -> str:
    rows = ["| | |", "| --- | --- |"]
    for action in parser._actions:
        if isinstance(action, _HelpAction):
            continue
        value = "" if action.nargs == 0 else f" {action.metavar or '|'.join(map(str, action.choices or ()))}"
        names = ", ".join(action.option_strings) + value if action.option_strings else str(action.metavar)
        told = re.sub(r"\$(\w+)", r"`\1`", str(action.help))
        rows.append(f"| `{names.strip()}` | {told} |")
    return "\n".join(rows)


if __name__ == "__main__":
    Path(__file__).with_name("cli.md").write_text(page(), encoding="utf-8")
