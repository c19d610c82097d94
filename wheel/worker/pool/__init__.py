"""Worker pools: threads, processes, asyncio, gevent, eventlet and solo."""

from .credit import Pace
from .kinds import Kind
from .options import PoolArguments, PoolOptions, pool_options
from .protocol import Done, Pool
from .threads import ThreadPool

__all__ = ["Done", "Kind", "Pace", "Pool", "PoolArguments", "PoolOptions", "ThreadPool", "pool_options"]
