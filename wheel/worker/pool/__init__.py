"""The bounded queue of workers, and its kinds: threads, processes, asyncio, gevent and eventlet, solo."""

from .credit import Pace
from .kinds import Kind
from .options import PoolArguments, PoolOptions, pool_options
from .protocol import Done, Pool
from .threads import ThreadPool

__all__ = [
    "Done",
    "Kind",
    "Pace",
    "Pool",
    "PoolArguments",
    "PoolOptions",
    "ThreadPool",
    "pool_options",
]
