"""The argument parser, built from the commands."""

from __future__ import annotations

import sys
from argparse import Action, ArgumentError, ArgumentParser, HelpFormatter, _SubParsersAction
from collections.abc import Iterable, Iterator, Sequence
from itertools import takewhile
from typing import Any, Final, NoReturn

from .. import __version__
from .command import Command
from .near import guess
from .places import is_store

_DESCRIPTION: Final = "Run Python functions later, and never lose one: inspect and change a store, or run its jobs."
_ENDING: Final = """\
exit status:
  0  yes
  1  no: no such job, not cancelled, not sound
  2  no answer: wrong usage, no such store, a store that cannot be read
environment:
  HOURWHEEL_STORE  the default of STORE and --store
  HOURWHEEL_APP    the default of -A
  NO_COLOR         no colours
  HOURWHEEL_*      settings; `hourwheel config` shows them"""


class Misuse(Exception):
    """The arguments are not valid. The message is for the user and includes the usage."""


def make_parser(commands: Iterable[Command]) -> ArgumentParser:
    """Return a parser. Its result has the attribute ``command``, which is None if no command was given."""
    known = list(commands)
    top = _Parser([command.name for command in known], prog="hourwheel", description=_DESCRIPTION, epilog=_ENDING)
    top.add_argument("--version", action="version", version=f"hourwheel {__version__}")
    top.add_argument("-A", "--app", metavar="MODULE:APP", default=None, help="the Scheduler; also after the command")
    top.add_argument("-C", "--no-color", action="store_true", help="no colours")
    top.set_defaults(command=None, program=top)
    places: Any = top.add_subparsers(metavar="COMMAND", parser_class=_Parser, title="commands")
    for command in known:
        added = places.add_parser(
            command.name, help=command.summary, description=command.description, epilog=_examples(command)
        )
        command.arguments(added)
        added.set_defaults(command=command, parser=added)
        added.intermixed = command.intermixed
    return top


def _joined(words: Sequence[str], commands: Sequence[str]) -> list[str]:
    """Make one word of the two words of a command.

    >>> _joined(["-C", "schedules", "add", "x"], ["schedules", "schedules add"])
    ['-C', 'schedules add', 'x']
    """
    first = next((n for n, word in enumerate(words) if word in commands), len(words))
    two = " ".join(words[first : first + 2])
    return [*words[:first], two, *words[first + 2 :]] if two in commands else list(words)


def _examples(command: Command) -> str:
    return "\n".join(["examples:" if len(command.examples) > 1 else "example:", *(f"  {e}" for e in command.examples)])


class _Formatter(HelpFormatter):
    """Wraps descriptions to the width of the terminal, but not text of several lines."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        if "\n" in text:
            return "".join(indent + line for line in text.splitlines(keepends=True))
        return super()._fill_text(text, width, indent)


class _Parser(ArgumentParser):
    """Raises Misuse where argparse would exit."""

    def __init__(self, commands: Iterable[str] = (), **kwargs: Any) -> None:
        super().__init__(formatter_class=_Formatter, allow_abbrev=False, **kwargs)
        self._commands = list(commands)
        self._words: list[str] = []
        self.intermixed = False

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Like argparse; for an intermixed command by parse_known_intermixed_args(), which calls this method again.

        With ``--`` among the arguments it is not used: it would read what follows as options.
        """
        args = _joined(args, self._commands) if self._commands and args is not None else args
        self._words = list(sys.argv[1:] if args is None else args)
        if not self.intermixed or "--" in (args or ()):
            return super().parse_known_args(args, namespace)
        self.intermixed = False
        try:
            return self.parse_known_intermixed_args(args, namespace)
        finally:
            self.intermixed = True

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Like argparse; what is left over is an error of the command that was given, and not of the program."""
        found, rest = self.parse_known_args(args, namespace)
        if rest:
            parser: _Parser = getattr(found, "parser", self)
            parser.error(f"unrecognized arguments: {' '.join(rest)}")
        return found

    def arguments(self) -> Iterator[Action]:
        """All arguments of the parser and of its commands, for completion."""
        for action in self._actions:
            yield action
            if isinstance(action, _SubParsersAction):
                parsers: Iterable[_Parser] = action.choices.values()
                for parser in parsers:
                    yield from parser.arguments()

    def _check_value(self, action: Action, value: Any) -> None:
        """Like argparse, with what may have been meant."""
        if action.choices is None or value in action.choices:
            return
        if isinstance(action, _SubParsersAction):
            self.error(self._no_command(value))
        hint = guess(str(value), map(str, action.choices))
        raise ArgumentError(action, f"must be one of {', '.join(map(str, action.choices))}, got {value!r}{hint}")

    def error(self, message: str) -> NoReturn:
        raise Misuse(f"{self.format_usage()}{self.prog}: {message}{self._guess_option()}")

    def _guess_option(self) -> str:
        """What may have been meant by the first unknown option; for want of it, another may seem to be missing."""
        words = takewhile(lambda word: word != "--", self._words)
        named = (word.partition("=")[0] for word in words if word.startswith("--"))
        odd = next((name for name in named if name not in self._option_string_actions), None)
        return "" if odd is None else guess(odd, self._option_string_actions)

    def _no_command(self, word: str) -> str:
        hint = f"; did you mean 'hourwheel jobs {word}'?" if is_store(word) else guess(word, self._commands)
        return f"there is no command {word!r}{hint}\nthe commands are {', '.join(self._commands)}"
