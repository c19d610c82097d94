"""Starting a ticker and its pool: whole or not at all, also where no thread can be had or Ctrl-C strikes in between."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ..errors import SchedulerError
from .ticker import Ticker

_NO_THREAD: Final = "can't start new thread"
"""What CPython says."""


def start(ticker: Ticker, ready: Callable[[], None]) -> None:
    """Start the workers and, when ``ready`` has returned, the ticker.

    Raises:
        SchedulerError: a thread cannot be started; those that were have ended.
    """
    try:
        ticker.start(ready)
    except BaseException as error:
        ticker.stop_claiming(0.0)  # an exception from outside may strike when it turns already
        ticker.pool.close()
        if isinstance(error, RuntimeError) and str(error) == _NO_THREAD:
            raise SchedulerError(
                f"the scheduler is not started, because no more threads can be: {ticker.pool.workers} workers and one "
                "more are needed; raise the limit (ulimit -u, the container's pids limit) or take fewer workers"
            ) from error
        raise
