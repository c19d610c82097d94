"""What is refused inside a worker process, and in jobs."""

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
    """Mark this process as a worker process. Called before it imports any module of the user."""
    global _is_child
    _is_child = True


@contextmanager
def importing_main() -> Iterator[None]:
    """In the block, the program's file is being run again to find its tasks; see refuse_store()."""
    global _imports_main
    _imports_main = True
    try:
        yield
    finally:
        _imports_main = False


def refuse_store() -> None:
    """Refuse to open the store while the program's file is run again: its calls would be made a second time.

    Raises:
        SchedulerError: a worker process is running the program's file.
    """
    if _imports_main:
        raise SchedulerError(
            "a worker process imports this program to find its tasks, and must not make its calls again; move them "
            'under: if __name__ == "__main__":'
        )


def is_job() -> bool:
    """Whether the calling code runs in a job in a worker process."""
    return _is_child and current_job() is not None


def refuse_closing(ticker: Ticker | None) -> None:
    """Refuse to close a scheduler from one of its own jobs, whose outcome must still be stored.

    Raises:
        SchedulerError: the calling code runs in a job of this ticker.
    """
    pool = getattr(ticker, "pool", None)  # testing.hand.Hand has none
    if ticker is not None and pool is not None and not ticker.ended and pool.is_inside():
        raise SchedulerError("a job cannot close its own scheduler, which must still store its outcome; call stop()")


def refuse_scheduler() -> None:
    """Refuse to start a scheduler in a worker process.

    Raises:
        SchedulerError: this is a worker process. Most likely, importing the program starts its scheduler.
    """
    if _is_child:
        raise SchedulerError(
            "a worker process of a pool cannot start a scheduler. It imports this program to find its tasks, so move "
            'the call that starts the scheduler under: if __name__ == "__main__":'
        )
