"""Where a ring can live: in a JSON file (JsonStore, the default), or in memory (MemoryStore)."""

from .jsonfile import JsonStore
from .memory import MemoryStore
from .url import open_store

__all__ = ["JsonStore", "MemoryStore", "open_store"]
