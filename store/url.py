"""open_store: a store by its path or URL."""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from ..wheel.clock import Clock
from ..wheel.contract import Store
from ..wheel.errors import InvalidValue
from .jsonfile import JsonStore
from .memory import MemoryStore


def open_store(url: str | os.PathLike[str], *, clock: Clock | None = None, **options: Any) -> Store:
    """Open the store that a path or URL names.

    Args:
        url: a path such as "tasks.json" or "/var/lib/app/tasks.json"; "json:tasks.json?durability=os" (or
            "file:..."), which may carry options; or "memory:".
        clock: where the store's time comes from, for dropping old results.
        options: passed to the store; they win over those in the URL. See JsonStore.

    Raises:
        InvalidValue: no store has that scheme, or an option is unknown.
        StoreError: it cannot be opened.

    >>> open_store("memory:")
    MemoryStore()
    """
    path, told = _parse(os.fspath(url))
    if path is None:
        if options:
            raise InvalidValue.of("options", "empty for a memory store", options)
        return MemoryStore()
    try:
        return JsonStore(path, clock=clock, **(told | options))
    except TypeError as error:
        raise InvalidValue(f"options must be those of JsonStore: {error}") from None


def path_of(url: str | os.PathLike[str]) -> str | None:
    """The path of the file that a path or URL names; None if that store is in no file.

    Raises:
        InvalidValue: no store has that scheme.

    >>> path_of("json:tasks.json?durability=os"), path_of("memory:")
    ('tasks.json', None)
    """
    return _parse(os.fspath(url))[0]


def _parse(text: str) -> tuple[str | None, dict[str, Any]]:
    """(the path or None, the options in the URL)."""
    path, told = text, {}
    scheme, colon, _ = text.partition(":")
    if colon and "/" not in scheme:
        match scheme.lower():
            case "json" | "file":
                parts = urlsplit(text)
                if parts.netloc not in ("", "localhost"):
                    raise InvalidValue.of(
                        "url", "a local path after its scheme, as in json:///var/lib/tasks.json", text
                    )
                path, told = unquote(parts.path), dict(parse_qsl(parts.query))
            case "memory":
                return None, {}
            case _:
                raise InvalidValue.of("url", "a path, json:PATH or memory:", text)
    if not path:
        raise InvalidValue.of("path", "the path of a file", path)
    return path, told
