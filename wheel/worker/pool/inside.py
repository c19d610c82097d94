"""Whether this process is a worker process of a pool: it runs what it is sent, and no scheduler of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ...errors import SchedulerError
from ...tasks.context import current_job

if TYPE_CHECKING:
    from ..ticker import Ticker

_is_child = False
_imports_main = False


def be_child() -> None:
    """Called by a worker process before it imports anything of the user's."""
    global _is_child
    _is_child = True


@contextmanager
def importing_main() -> Iterator[None]:
    """For as long as the block runs the program's file is run again, and must not do what it does but once."""
    global _imports_main
    _imports_main = True
    try:
        yield
    finally:
        _imports_main = False


def refuse_store() -> None:
    """Raise if the store must not be opened now.

    Raises:
        SchedulerError: a worker process runs the program's file to find its tasks; calls in it would be made again.
    """
    if _imports_main:
        raise SchedulerError(
            "a worker process imports this program to find its tasks, and does not call them or open the store again: "
            'what is to be done once must be under: if __name__ == "__main__":'
        )


def is_job() -> bool:
    """Whether a job in a worker process is what calls."""
    return _is_child and current_job() is not None


def refuse_closing(ticker: Ticker | None) -> None:
    """Raise if a job of this ticker is what calls.

    Raises:
        SchedulerError: it would close the store in which it is to be recorded.
    """
    pool = getattr(ticker, "pool", None)  # the hand that takes a ticker's place in tests has none
    if ticker is not None and pool is not None and not ticker.ended and pool.is_inside():
        raise SchedulerError("a job cannot close its own scheduler, which is to record the job; call stop()")


def refuse_scheduler() -> None:
    """Raise if a scheduler must not be started here.

    Raises:
        SchedulerError: this is a worker process, most likely one whose import of the program runs the program.
    """
    if _is_child:
        raise SchedulerError(
            "a worker process of a pool cannot start a scheduler. It has imported this program to find its tasks, so "
            'what starts the scheduler must be under: if __name__ == "__main__":'
        )
