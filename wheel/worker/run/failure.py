"""A failure as it is kept with its job: what a function raised, as text.

An exception is the function's own: its message may be huge, its ``__str__`` may raise, exit or recurse, its attributes
may be properties that fail. Nothing here calls it but inside of ``_shown``, and what is kept is bounded.
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
"""Files whose frames a traceback does not begin with."""
MESSAGE_MOST: Final = 2_000
"""Characters of a message that are kept."""
_TRACEBACK_MOST: Final = 20_000


def failure_of(error: BaseException) -> Failure:
    """An exception as it is kept with its job: as text, without the frames of the runner.

    >>> failure_of(KeyError("user"))[:2]
    ('KeyError', "'user'")
    """
    name = _shown(lambda: _name_of(type(error)), "its type cannot be shown")
    message = _shown(lambda: str(error), "its message cannot be shown")
    text = _shown(lambda: _traceback_of(error), f"the traceback of {name} cannot be shown")
    return Failure(cut(name, MESSAGE_MOST), cut(message, MESSAGE_MOST), cut(text, _TRACEBACK_MOST))


def frames_of(error: BaseException) -> TracebackType | None:
    """The frames below ours; all of them if the exception came from ours alone."""
    inner = frames = BaseException.__dict__["__traceback__"].__get__(error)
    while inner is not None and inner.tb_frame.f_code.co_filename in OURS:
        inner = inner.tb_next
    found: TracebackType | None = inner or frames
    return found


def cause_of(error: BaseException) -> BaseException:
    """The exception that it was raised from, or in the handling of; itself if there was none."""
    fields: Any = BaseException.__dict__  # a subclass may say what it likes
    handled = None if fields["__suppress_context__"].__get__(error) else fields["__context__"].__get__(error)
    found: BaseException = fields["__cause__"].__get__(error) or handled or error
    return found


def cut(text: str, most: int) -> str:
    """The text, or its beginning and its end, where a traceback says the most."""
    if len(text) <= most:
        return text
    return f"{text[: most // 4]}\n... {len(text) - most} characters left out ...\n{text[-(most - most // 4) :]}"


def end_forked_child(raised: BaseException | None) -> NoReturn:
    """End this process, a child that a job has forked, with the status that it would have had as a program of its own.

    Whatever the exception does when it is shown: the claims that the parent holds are not this process's to run.
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
        return "".join((show(),))  # noqa: FLY002 - of a subclass of str a plain copy
    except BaseException as broken:
        if passes(broken):
            raise
        return f"<{otherwise}: {type(broken).__name__}>"
