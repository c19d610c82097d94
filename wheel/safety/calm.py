"""Calm: what log handlers, filters and hooks raise, which are other people's code, ends nothing of ours.

A handler that raises, a filter that calls ``sys.exit``, a hook that runs out of memory: the thread that told them is
the ticker's or a worker's, and a job is in its hands. So everything but what is meant for that thread stops here.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager, suppress
from typing import Any, Final

from .plain import harmless_logger, plain

_SAID: Final[set[str]] = set()
_SAID_MOST: Final = 100
_nobody_waits = False


def nobody_waits() -> None:
    """Say that no Ctrl-C or ``sys.exit`` is meant for the main thread: it is a worker as any other."""
    global _nobody_waits
    _nobody_waits = True


def passes(error: BaseException) -> bool:
    """Whether an exception is to go on: one that struck from outside (a time limit), or a person's Ctrl-C.

    Ctrl-C, and the ``sys.exit`` of a signal handler, reach the main thread only. In any other thread they come from the
    code that was called.
    """
    kind = type(error)
    if getattr(kind, "from_outside", False):
        return True
    in_main = threading.current_thread() is threading.main_thread() and not _nobody_waits
    return in_main and not issubclass(kind, Exception)


@contextmanager
def calmly() -> Iterator[None]:
    """What other people's code raises in the block ends there."""
    try:
        yield
    except BaseException as error:
        if passes(error):
            raise


class CalmLogger(logging.LoggerAdapter[logging.Logger]):
    """A logger of the standard library whose handlers and filters may raise what they like.

    >>> CalmLogger("hourwheel.worker").name
    'hourwheel.worker'
    """

    def __init__(self, name: str) -> None:
        super().__init__(harmless_logger(name))
        self.isEnabledFor = self.logger.isEnabledFor  # type: ignore[method-assign]  # a look for each job, without a detour

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        """Nothing is added."""
        return msg, kwargs

    def log(self, level: int, msg: object, *args: object, **kwargs: Any) -> None:
        """As Logger.log; what it raises is said on stderr, once."""
        try:
            if self.logger.isEnabledFor(level):
                stacklevel = kwargs.pop("stacklevel", 1) + 1  # the line that is shown is that of the caller
                self.logger.log(level, msg, *args, stacklevel=stacklevel, **kwargs)
        except BaseException as error:
            if passes(error):
                raise
            _say(self.logger.name, error)


def _say(name: str, error: BaseException) -> None:
    with suppress(BaseException):  # stderr may be closed, and the error one that cannot be shown
        words = f"hourwheel: the log line could not be written to {name}: {type(error).__name__}"
        if words not in _SAID and len(_SAID) < _SAID_MOST:
            _SAID.add(words)
            print(f"{words}: {plain(str(error)[:500])}", file=sys.stderr)
