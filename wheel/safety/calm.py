"""Calm: an exception from a user's log handler, filter or hook does not end a ticker or worker thread.

A handler may raise, a filter may call ``sys.exit``, a hook may run out of memory, while the thread has a job to
finish. Everything is caught here, except exceptions that are meant for the thread itself (see ``passes``).
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager, suppress
from typing import Any, Final

from .plain import harmless_logger, plain

_PRINTED: Final[set[str]] = set()
_MOST_PRINTED: Final = 100
_main_is_worker = False


def nobody_waits() -> None:
    """Treat the main thread like any other: in this process it is a worker, and Ctrl-C is not meant for it."""
    global _main_is_worker
    _main_is_worker = True


def passes(error: BaseException) -> bool:
    """Whether to re-raise an exception: a time limit from outside, or Ctrl-C in the main thread.

    KeyboardInterrupt, and SystemExit from a signal handler, are raised in the main thread only. In other threads they
    come from the code that was called, and are caught like any other exception.
    """
    kind = type(error)
    if getattr(kind, "from_outside", False):
        return True
    in_main = threading.current_thread() is threading.main_thread() and not _main_is_worker
    return in_main and not issubclass(kind, Exception)


@contextmanager
def calmly() -> Iterator[None]:
    """Swallow exceptions from the block, which calls a user's code, except those that ``passes`` lets through."""
    try:
        yield
    except BaseException as error:
        if passes(error):
            raise


class CalmLogger(logging.LoggerAdapter[logging.Logger]):
    """A logger whose methods do not raise, whatever its handlers and filters raise.

    >>> CalmLogger("hourwheel.worker").name
    'hourwheel.worker'
    """

    def __init__(self, name: str) -> None:
        super().__init__(harmless_logger(name))
        self.isEnabledFor = self.logger.isEnabledFor  # type: ignore[method-assign]  # called for each job

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        """Add nothing."""
        return msg, kwargs

    def log(self, level: int, msg: object, *args: object, **kwargs: Any) -> None:
        """Like Logger.log, but print an exception to stderr instead of raising it; each message once."""
        try:
            if self.logger.isEnabledFor(level):
                stacklevel = kwargs.pop("stacklevel", 1) + 1  # so that the record names the caller's line
                self.logger.log(level, msg, *args, stacklevel=stacklevel, **kwargs)
        except BaseException as error:
            if passes(error):
                raise
            _print_once(self.logger.name, error)


def _print_once(name: str, error: BaseException) -> None:
    with suppress(BaseException):  # stderr may be closed, or str(error) may raise
        words = f"hourwheel: could not write a log record to {name}: {type(error).__name__}"
        if words not in _PRINTED and len(_PRINTED) < _MOST_PRINTED:
            _PRINTED.add(words)
            print(f"{words}: {plain(str(error)[:500])}", file=sys.stderr)
