"""Stores: a ring in a JSON file (JsonStore, the default; ReadOnlyStore for reading), or in memory (MemoryStore)."""

from .file.readonly import ReadOnlyStore
from .file.store import JsonStore
from .memory import MemoryStore
from .url import open_store

__all__ = ["JsonStore", "MemoryStore", "ReadOnlyStore", "open_store"]
