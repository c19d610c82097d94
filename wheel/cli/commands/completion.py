"""``hourwheel completion``: what a shell needs to complete commands, options and their values."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterable, Mapping
from typing import Final

from ...job import State
from ..command import Command, Context, argument
from ..outcome import YES, CommandError
from .worker import LEVELS

_SHELLS: Final = ("bash", "zsh", "tcsh", "fish")
_FILES: Final = ("STORE", "TO", "FILE")
"""Arguments that are completed with names of files, by their metavar."""
_VALUES: Final[Mapping[str, Iterable[str]]] = {"state": State, "loglevel": tuple(map(str.lower, LEVELS))}
"""Arguments that are completed with these words."""


@Command(
    name="completion",
    summary="print a script that makes a shell complete commands and options",
    description="Print a script for your shell, which completes commands, options, states and files. With bash, put "
    "eval \"$(hourwheel completion bash)\" into ~/.bashrc. It needs shtab: pip install 'hourwheel[completion]'.",
    examples=("hourwheel completion bash", "hourwheel completion zsh"),
    takes=(argument("shell", choices=_SHELLS, metavar="SHELL", help=f"{', '.join(_SHELLS[:-1])} or {_SHELLS[-1]}"),),
)
def completion(args: Namespace, context: Context) -> int:
    try:
        import shtab  # an extra
    except ImportError:
        raise CommandError("completion needs shtab: pip install 'hourwheel[completion]'") from None
    if args.shell not in shtab.SUPPORTED_SHELLS:
        raise CommandError(f"this shtab cannot do {args.shell}: pip install --upgrade shtab")
    for action in args.program.arguments():
        words = _VALUES.get(action.dest)
        if words is not None:
            action.choices = list(map(str, words))
        elif action.metavar in _FILES or action.dest == "store":
            action.complete = shtab.FILE
    context.console.exact(shtab.complete(args.program, args.shell))
    return YES
