"""One exception at one line of our code, as a trace function raises it, and what must be so afterwards.

A trace function is told of each line before it runs. What it raises is raised there, which is harsher than the interpreter
is: that looks for signals at the beginnings of functions, behind calls and where a loop goes back. One place is left out:
the end of a block of ``with`` over a lock written in C. Between the last line of the block and the release the interpreter
does not look, and nothing can strike.
"""

from __future__ import annotations

import fcntl
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from linecache import getline
from types import FrameType
from typing import Any, Final

import hourwheel
from hourwheel.errors import SoftTimeLimitExceeded, StoreReentered
from hourwheel.safety.shield import ALARMS, Alarm, take_off

from .deeds import DEEDS, Site

OURS: Final = tuple(
    {os.path.dirname(os.path.realpath(module.__file__ or "")) for module in (hourwheel, hourwheel.store)}
)
_PATIENCE_S: Final = 30.0


class Raised(Exception):
    """What the handler of some library raises: gunicorn's SIGABRT, a test's SIGALRM."""


class Tracer:
    """Counts lines of ours; at one of them it strikes."""

    def __init__(self, at: int | None, strike: Callable[[], None]) -> None:
        self.lines = 0
        self.visits: dict[tuple[str, int], list[int]] = {}
        """By line of ours, when it was run; of a tracer that strikes nowhere."""
        self.struck: str | None = None
        self._at = at
        self._strike = strike
        self._blocks: dict[FrameType, set[int]] = {}

    def __call__(self, frame: FrameType, event: str, arg: Any) -> Any:
        if not frame.f_code.co_filename.startswith(OURS) and not os.path.realpath(frame.f_code.co_filename).startswith(
            OURS
        ):
            return None
        if event == "return":
            self._blocks.pop(frame, None)
        if event != "line" or self._ends_a_block(frame):
            return self
        if self.lines == self._at and self.struck is None:
            self.struck = f"{os.path.basename(frame.f_code.co_filename)}:{frame.f_lineno}"
            self._strike()
        if self._at is None:
            self.visits.setdefault((frame.f_code.co_filename, frame.f_lineno), []).append(self.lines)
        self.lines += 1
        return self

    def _ends_a_block(self, frame: FrameType) -> bool:
        """Whether this is the end of a block of ``with``, which the tracer is told of as its first line once more."""
        line = frame.f_lineno
        if not getline(frame.f_code.co_filename, line).lstrip().startswith("with "):
            return False
        begun = self._blocks.setdefault(frame, set())
        if line in begun:
            begun.remove(line)
            return True
        begun.add(line)
        return False


@contextmanager
def traced(tracer: Tracer) -> Iterator[None]:
    before = sys.gettrace()
    sys.settrace(tracer)
    try:
        yield
    finally:
        sys.settrace(before)


def _ctrl_c(_: Site) -> None:
    raise KeyboardInterrupt


def _raises(_: Site) -> None:
    raise Raised


def _soft_limit(_: Site) -> None:
    ALARMS[threading.get_ident()].ring()


def _calls(site: Site) -> None:
    """A handler that adds a job, looks, and asks for a change that it may be refused."""
    site.add_in_handler()
    site.store.get(["job-1"])[0]
    for refused in (lambda: site.store.stats(site.now_ms), lambda: site.store.pause(["queue:handler"])):
        try:
            refused()
        except StoreReentered:
            continue


STRIKES: Final[dict[str, Callable[[Site], None]]] = {
    "Ctrl-C": _ctrl_c,
    "a handler that raises": _raises,
    "a soft limit": _soft_limit,
    "a handler that calls": _calls,
}
_EXPECTED: Final = (KeyboardInterrupt, Raised, SoftTimeLimitExceeded)


def lines_of(site: Site, deed: str) -> list[int]:
    """When to strike a verb: each line of ours that it runs, the first, the second and the last time."""
    for _ in range(2):
        tracer = Tracer(None, lambda: None)
        prepared = DEEDS[deed](site)
        with traced(tracer):
            prepared.do()
    return sorted({at for visits in tracer.visits.values() for at in (*visits[:2], visits[-1])})


def struck(site: Site, deed: str, strike: str, at: int) -> str | None:
    """Strike one verb at one line; what was wrong then, or None."""
    prepared = DEEDS[deed](site)
    tracer = Tracer(at, lambda: STRIKES[strike](site))
    raised: BaseException | None = None
    with _limit_of(strike):
        try:
            with traced(tracer):
                prepared.do()
        except _EXPECTED as error:
            raised = error
        except BaseException as error:
            return f"{tracer.struck}: {type(error).__name__}: {error}"
    wrong = _life_goes_on(site) or prepared.wrong(raised)
    return f"{tracer.struck}: {wrong}" if wrong else None


@contextmanager
def _limit_of(strike: str) -> Iterator[None]:
    """A soft limit's alarm for this thread, which strikes when the tracer rings it."""
    if strike != "a soft limit":
        yield
        return
    thread = threading.get_ident()

    def raises() -> None:
        raise SoftTimeLimitExceeded

    alarm = ALARMS[thread] = Alarm(raises)
    try:
        yield
    finally:
        alarm.end()
        take_off(alarm, thread)


def _life_goes_on(site: Site) -> str | None:
    if site.lock_path is not None and (holder := _held(site.lock_path)):
        return holder
    said: list[str | None] = []

    def next_call() -> None:
        try:
            said.append(site.use())
        except BaseException as error:
            said.append(f"the next call raised {type(error).__name__}: {error}")

    thread = threading.Thread(target=next_call, daemon=True)
    thread.start()
    thread.join(_PATIENCE_S)
    return said[0] if said else "the next call hangs"


def _held(path: str) -> str | None:
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return "the writers' lock is still held"
    finally:
        os.close(fd)
    return None
