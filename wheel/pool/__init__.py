"""The bounded queue of workers, and its kinds. Threads, so far."""

from .credit import Pace
from .threads import Done, ThreadPool

__all__ = ["Done", "Pace", "ThreadPool"]
