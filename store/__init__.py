"""Where a ring can live: in a JSON file (JsonStore, the default; ReadOnlyStore to look), or in memory (MemoryStore)."""

from .jsonfile import JsonStore
from .memory import MemoryStore
from .readonly import ReadOnlyStore
from .url import open_store

__all__ = ["JsonStore", "MemoryStore", "ReadOnlyStore", "open_store"]
