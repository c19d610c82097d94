"""Turn the exception of a function into text, to store it with the job.

An exception is the user's code: its message may be huge, its ``__str__`` may raise, exit or recurse, its attributes may
be failing properties. So its code is called only inside ``_shown``, and the text is limited.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable
from types import TracebackType
from typing import Any, Final, NoReturn

from ...job import Failure
from ...safety.calm import passes
from ...tasks.options.time_limits import within

OURS: Final = {within.__code__.co_filename}
"""Files whose frames are left out at the start of a traceback."""
MESSAGE_MOST: Final = 2_000
"""How many characters of a message are kept."""
_TRACEBACK_MOST: Final = 20_000


def failure_of(error: BaseException) -> Failure:
    """Return an exception as text, without the frames of the runner.

    >>> failure_of(KeyError("user"))[:2]
    ('KeyError', "'user'")
    """
    name = _shown(lambda: _name_of(type(error)), "its type cannot be shown")
    message = _shown(lambda: str(error), "its message cannot be shown")
    text = _shown(lambda: _traceback_of(error), f"the traceback of {name} cannot be shown")
    return Failure(cut(name, MESSAGE_MOST), cut(message, MESSAGE_MOST), cut(text, _TRACEBACK_MOST))


def frames_of(error: BaseException) -> TracebackType | None:
    """Return the traceback without our own frames at its start; all of it if there are only ours."""
    inner = frames = BaseException.__dict__["__traceback__"].__get__(error)
    while inner is not None and inner.tb_frame.f_code.co_filename in OURS:
        inner = inner.tb_next
    found: TracebackType | None = inner or frames
    return found


def cause_of(error: BaseException) -> BaseException:
    """Return the exception from which, or while handling which, this one was raised; itself if there is none."""
    fields: Any = BaseException.__dict__  # a subclass may override the attributes
    handled = None if fields["__suppress_context__"].__get__(error) else fields["__context__"].__get__(error)
    found: BaseException = fields["__cause__"].__get__(error) or handled or error
    return found


def cut(text: str, most: int) -> str:
    """Shorten a text to its start and its end, which are the most useful parts of a traceback."""
    if len(text) <= most:
        return text
    return f"{text[: most // 4]}\n... {len(text) - most} characters left out ...\n{text[-(most - most // 4) :]}"


def end_forked_child(raised: BaseException | None) -> NoReturn:
    """End this process, which a job has forked, with the exit status that a program would have.

    It ends whatever the exception does when it is printed: this process must not run the parent's other claims.
    """
    status = 0 if raised is None else 1
    try:
        if raised is not None and issubclass(type(raised), SystemExit):
            code: object = SystemExit.__dict__["code"].__get__(raised)
            status = code if isinstance(code, int) else int(code is not None)
        elif raised is not None:
            traceback.print_exception(raised)
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(status & 0xFF)


def _name_of(kind: type) -> str:
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _traceback_of(error: BaseException) -> str:
    return "".join(traceback.format_exception(type(error), error, frames_of(error)))


def _shown(show: Callable[[], str], otherwise: str) -> str:
    try:
        return "".join((show(),))  # noqa: FLY002 - makes a plain copy of a subclass of str
    except BaseException as broken:
        if passes(broken):
            raise
        return f"<{otherwise}: {type(broken).__name__}>"
