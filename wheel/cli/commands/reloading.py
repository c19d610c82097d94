"""``hourwheel worker --reload``: the worker in a child process, which is ended and started anew after each edit.

This process imports nothing of the user's, so what is wrong in a module ends the child, and the next edit starts
another. The child is ended as by SIGTERM, so running jobs have the worker's --timeout to finish. It dies with this
process.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Final

from ...kernel import Lifeline
from ...worker.signals import SIGNALS
from ..command import Context
from ..outcome import CommandError

_BOOT: Final = """\
import sys
from hourwheel.kernel import die_with
parent, *lifeline = map(int, sys.argv.pop(1).split())
die_with(parent, lifeline[0] if lifeline else None)
from hourwheel.cli import main
sys.exit(main())
"""
_LOOK_MS: Final = 200
_STEP_MS: Final = 50
_MOST_MS: Final = 1_000
"""How long changes that go on and on are collected: a checkout of another branch restarts the worker once."""
_ENDS_S: Final = 10.0
"""How much longer than its --timeout a worker may take to end."""
_NAMED_MOST: Final = 3

Edits = Callable[[threading.Event], Iterator[list[str]]]
"""Yields the Python files that have changed, and [] every now and then, until the event is set."""
Start = Callable[[], "subprocess.Popen[bytes]"]


def run_and_reload(args: Namespace, context: Context) -> int:
    """Run the worker of the command line until a signal, and start it anew when files change."""
    if "NOTIFY_SOCKET" in context.environ:
        raise CommandError("--reload is for development; leave it out where systemd starts the worker")
    directories = args.reload_dir or [os.getcwd()]
    for directory in directories:
        if not os.path.isdir(directory):
            raise CommandError(f"--reload-dir must be a directory, got {directory!r}")
    say = context.console.error
    say(f"hourwheel: watching the Python files in {', '.join(directories)}")
    with _child_of(args.words) as start:
        return Reloader(start, lambda over: edits(directories, over), say, args.timeout + _ENDS_S).run()


class Reloader:
    """Runs a child process, and another one after each edit."""

    def __init__(self, start: Start, edits: Edits, say: Callable[[str], None], patience_s: float) -> None:
        """Make one.

        Args:
            start: starts a child.
            edits: yields what has changed.
            say: tells the user, in one line.
            patience_s: how long a child may take to end, in seconds, before it is killed.
        """
        self._start_child = start
        self._edits = edits
        self._say = say
        self._patience_s = patience_s
        self._child: subprocess.Popen[bytes] | None = None
        self._over = threading.Event()

    def run(self) -> int:
        """Run until SIGTERM or SIGINT; return the exit status of the last child."""
        with self._handling():
            waiting = False  # for an edit, because the child has ended by itself
            for changed in self._edits(self._over):
                if self._child is None:  # now that edits are noticed
                    self._start()
                elif changed:
                    self._say(f"hourwheel: {_named(changed)} changed; restarting the worker")
                    self._end()
                    waiting = False
                    self._start()
                elif not waiting and self._child.poll() is not None:
                    waiting = True
                    self._say(f"hourwheel: the worker ended with status {self._status()}; an edit starts it again")
            self._wait()
        return self._status()

    def _start(self) -> None:
        if not self._over.is_set():
            self._child = self._start_child()
            if self._over.is_set():  # a signal came while there was nobody to pass it on to
                self._child.send_signal(signal.SIGTERM)

    def _end(self) -> None:
        if self._child is not None:
            self._child.send_signal(signal.SIGTERM)
            self._wait()

    def _wait(self) -> None:
        if self._child is None:
            return
        try:
            self._child.wait(self._patience_s)
        except subprocess.TimeoutExpired:
            self._say("hourwheel: the worker does not end; it is killed")
            self._child.kill()
            self._child.wait()

    def _status(self) -> int:
        status = 0 if self._child is None else self._child.returncode
        return status if status >= 0 else 128 - status

    # ---- signals -----------------------------------------------------------------------------------------

    @contextmanager
    def _handling(self) -> Iterator[None]:
        before = [(number, signal.signal(number, self._on_signal)) for number in SIGNALS]
        try:
            yield
        finally:
            for number, handler in before:
                signal.signal(number, handler)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        self._over.set()
        if self._child is not None and not (number == signal.SIGINT and _in_foreground()):
            self._child.send_signal(number)


def _in_foreground() -> bool:
    """Whether a terminal sends Ctrl-C to this process group: then the child has it already, and two mean "now"."""
    try:
        terminal = os.open(os.ctermid(), os.O_RDWR)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    finally:
        os.close(terminal)


@contextmanager
def _child_of(words: Sequence[str]) -> Iterator[Start]:
    """Yield what starts the command line ``words``, without --reload, in a process that dies with this one."""
    lifeline = Lifeline()
    flags = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]
    safe = [] if "-P" in flags else ["-P"]  # no module of the current directory stands before those of Python

    def start() -> subprocess.Popen[bytes]:
        passed = lifeline.to_pass
        ties = " ".join(map(str, [os.getpid(), *passed]))
        command = [sys.executable, *flags, *safe, "-c", _BOOT, ties, *words, "--no-reload"]
        return subprocess.Popen(command, pass_fds=passed)  # noqa: S603 - starts this program

    try:
        yield start
    finally:
        lifeline.close()


# ---- edits -----------------------------------------------------------------------------------------------


def edits(directories: Sequence[str], over: threading.Event) -> Iterator[list[str]]:
    """Yield the Python files in directories that have changed, and [] five times a second, until ``over`` is set.

    Raises:
        CommandError: watchfiles is missing, or cannot watch so many files.
    """
    try:
        from watchfiles import PythonFilter, watch  # an extra
    except ImportError:
        raise CommandError("--reload needs watchfiles: pip install 'hourwheel[reload]'") from None
    is_python = PythonFilter()  # not given to watch(), which yields nothing while other files change all the time
    try:
        for changes in watch(
            *directories,
            watch_filter=None,
            debounce=_MOST_MS,
            step=_STEP_MS,
            stop_event=over,
            rust_timeout=_LOOK_MS,
            yield_on_timeout=True,
            raise_interrupt=False,
            ignore_permission_denied=True,
        ):
            yield sorted({path for change, path in changes if is_python(change, path)})
    except OSError as error:
        where = ", ".join(directories)
        raise CommandError(f"{where} cannot be watched: {error}; name smaller directories with --reload-dir") from error


def _named(paths: Sequence[str]) -> str:
    shown = ", ".join(os.path.relpath(path) for path in paths[:_NAMED_MOST])
    more = len(paths) - _NAMED_MOST
    return shown if more <= 0 else f"{shown} and {more} more"
