"""The parser of the command line, made from the commands."""

from __future__ import annotations

from argparse import ArgumentParser, HelpFormatter
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any, Final, NoReturn

from .. import __version__
from .command import Command

_DESCRIPTION: Final = "Run Python functions later, and never lose one: look after a store, or run its jobs."
_ENDING: Final = """\
exit status:
  0  yes
  1  no: no such job, not cancelled, not sound
  2  cannot be answered: wrong use, no store there, one that cannot be read
environment:
  HOURWHEEL_STORE  the default of STORE and --store
  HOURWHEEL_APP    the default of -A
  NO_COLOR     no colours
  HOURWHEEL_*      the settings; hourwheel config shows them"""


class Misuse(Exception):
    """The words are not a command of ours. The message is for the user, usage included."""


def make_parser(commands: Iterable[Command]) -> ArgumentParser:
    """A parser whose result has ``command``, which is None if no command was named."""
    known = list(commands)
    top = _Parser([command.name for command in known], prog="hourwheel", description=_DESCRIPTION, epilog=_ENDING)
    top.add_argument("--version", action="version", version=f"hourwheel {__version__}")
    top.add_argument("-A", "--app", metavar="MODULE:APP", default=None, help="the Scheduler; also behind the command")
    top.add_argument("-C", "--no-color", action="store_true", help="no colours, whatever the terminal")
    top.set_defaults(command=None)
    places: Any = top.add_subparsers(metavar="COMMAND", parser_class=_Parser, title="commands")
    for command in known:
        added = places.add_parser(
            command.name, help=command.summary, description=command.description, epilog=_examples(command)
        )
        command.arguments(added)
        added.set_defaults(command=command)
        added.intermixed = command.intermixed
    return top


def _examples(command: Command) -> str:
    return "\n".join(["examples:" if len(command.examples) > 1 else "example:", *(f"  {e}" for e in command.examples)])


class _Formatter(HelpFormatter):
    """Wraps descriptions to the terminal, and leaves lists as they are."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        if "\n" in text:
            return "".join(indent + line for line in text.splitlines(keepends=True))
        return super()._fill_text(text, width, indent)


class _Parser(ArgumentParser):
    """Raises Misuse where argparse would end the process."""

    def __init__(self, commands: Iterable[str] = (), **kwargs: Any) -> None:
        super().__init__(formatter_class=_Formatter, allow_abbrev=False, **kwargs)
        self._commands = list(commands)
        self.intermixed = False

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As argparse does; where options may stand between words, by its other way, which calls this again.

        That other way forgets ``--``, behind which nothing is an option.
        """
        if not self.intermixed or "--" in (args or ()):
            return super().parse_known_args(args, namespace)
        self.intermixed = False
        try:
            return self.parse_known_intermixed_args(args, namespace)
        finally:
            self.intermixed = True

    def error(self, message: str) -> NoReturn:
        if "argument COMMAND: invalid choice: '" in message:
            message = self._no_command(message.partition("choice: '")[2].partition("'")[0])
        raise Misuse(f"{self.format_usage()}{self.prog}: {message}")

    def _no_command(self, word: str) -> str:
        near = get_close_matches(word, self._commands, n=1)
        guess = f" Did you mean {near[0]!r}?" if near else ""
        return f"there is no command {word!r}.{guess} The commands are {', '.join(self._commands)}."
