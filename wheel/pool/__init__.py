"""The bounded queue of workers, and its kinds: threads, processes, asyncio, gevent and eventlet, solo."""

from .credit import Pace
from .kinds import KINDS, Kind
from .options import PoolArguments, PoolOptions, pool_options
from .protocol import Done, Pool
from .threads import ThreadPool

__all__ = [
    "KINDS",
    "Done",
    "Kind",
    "Pace",
    "Pool",
    "PoolArguments",
    "PoolOptions",
    "ThreadPool",
    "pool_options",
]
