"""``hourwheel config``: all settings, their values, and where these come from."""

from __future__ import annotations

from argparse import Namespace
from json import dumps
from typing import Any

from ...settings.conf import DEFAULT, Conf
from ...settings.sources import Known, strangers
from ...settings.table import SETTINGS, plain
from ..command import APP, Context, as_json, command
from ..console import Cell
from ..outcome import YES
from ..places import APP_VARIABLE, app_of


@command(
    "config",
    summary="show each setting, its value and where it comes from",
    description="Show the settings of an app. Without -A, show those that an app would get here: from the environment "
    "and from hourwheel.toml or the table [tool.hourwheel] of pyproject.toml. Passwords in URLs are not shown.",
    examples=("hourwheel config -A shop.tasks:app", "hourwheel config", "hourwheel config --json"),
    takes=(APP, as_json("the settings")),
)
def config(args: Namespace, context: Context) -> int:
    has_app = args.app or context.environ.get(APP_VARIABLE)
    conf = app_of(args, context.environ).conf if has_app else Conf(environ=context.environ)
    conf.pool_options()  # raises if the values contradict each other
    found, console = conf.all(), context.console
    others = strangers(context.environ)
    if args.json:
        console.json({"settings": [_document(known) for known in found], "other_variables": others})
        return YES
    rows = [_row(known) for known in found]
    if not console.table(("setting", "value", "source"), rows):
        for name, value, source in rows:
            console.line(name, " = ", value)
            console.line("    ", source)
    if others:
        console.prose("", f"not settings, ignored: {', '.join(others)}")
    return YES


def _row(known: Known) -> tuple[Cell, Cell, Cell]:
    colour = "dim" if known.source == DEFAULT else ""
    return Cell(known.name), Cell(dumps(plain(known.value), ensure_ascii=False), colour), Cell(known.source, colour)


def _document(known: Known) -> dict[str, Any]:
    return {
        "name": known.name,
        "value": plain(known.value),
        "source": known.source,
        "help": SETTINGS[known.name].help,
    }
