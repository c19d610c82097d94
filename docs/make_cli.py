"""Generate docs/cli.md from the command-line parser. Run: python docs/make_cli.py"""

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

`hourwheel` runs the jobs of an app, and inspects and changes stores. `hourwheel COMMAND --help` prints what this page
says. `python -m hourwheel.cli` is the same program.

**Which store.** STORE is a path (`tasks.json`) or URL (`json:/var/lib/shop/tasks.json`). It stands before ids and
other arguments, or after `--store`. Instead of a store you can pass `-A module:app`: then the command uses the store
of that Scheduler. Modules are looked for in the current directory first. `-A module` takes the module's `app`,
`celery` or `scheduler`, or else the only Scheduler in it; `-A package` that of `package/celery.py`, too;
`-A package.module:name` and `-A package.module.name` name one. Like
Celery's, `-A` may also stand before the command. `HOURWHEEL_STORE` is the default of STORE and `--store`,
`HOURWHEEL_APP` that of `-A`. Arguments take precedence over the environment, and that over the `store` of a [TOML
table](configuration.md#a-toml-table). No command creates a store by looking at it.

**Many jobs.** `jobs`, `retry`, `cancel` and `forget` choose jobs by the same options, such as `--queue` and `--error`:
[Operations](operations.md#many-jobs-at-once-hourwheel-jobs-retry-cancel-forget-purge).

**Completion.** After `pip install 'hourwheel[completion]'`, `eval "$(hourwheel completion bash)"` in `~/.bashrc` lets
the tab key complete commands, options, states and files. For other shells, write the script to where they look for it:
`hourwheel completion zsh > ~/.zfunc/_hourwheel`,
`hourwheel completion fish > ~/.config/fish/completions/hourwheel.fish`.

**Exit status.** 0 means yes: done, or true. 1 means no: no such job, not cancelled, not sound. 2 means no answer:
wrong usage, no such store, a store that is damaged or in use. So a script does not mistake a damaged store for a job
that does not exist. Ctrl-C gives 130, a closed pipe (`| head`) 141, a bug in Hourwheel 70.

**Times** are shown in local time with their zone, and relative to now. A time that you write without a zone is local:
`--eta 2026-12-24T18:00`. With a zone it is in that zone: `2026-12-24T18:00Z`. A duration is a number of seconds, or
text such as `15m`, `1h30m` or `2d`.

**Written for Celery.** A command line for Celery's worker is understood: what has no effect here is said, and what
cannot be taken is refused with what to do instead: [The command line](guide-from-celery.md#the-command-line).

**For programs.** `--json` prints one JSON document. Times in it are milliseconds since the epoch (`due_ms`), with the
same time in ISO 8601 (UTC) beside them (`due`). Colours are used on terminals only, and not if `NO_COLOR` is set.
Control characters in arguments of tasks are escaped. `HOURWHEEL_DEBUG=1` shows the traceback of an error.
"""


def page() -> str:
    """The whole page."""
    rows = [f"| [`{c.name}`](#hourwheel-{c.name.replace(' ', '-')}) | {c.summary} |" for c in COMMANDS]
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
