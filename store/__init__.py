"""Where a ring can live: in a JSON file (JsonStore, the default), or in memory (MemoryStore)."""

from .memory import MemoryStore

__all__ = ["MemoryStore"]
