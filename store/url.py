"""open_store: a store by its path or URL."""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from ..wheel.contract import Store
from ..wheel.errors import InvalidValue
from .jsonfile import JsonStore
from .memory import MemoryStore


def open_store(url: str | os.PathLike[str], **options: Any) -> Store:
    """Open the store that a path or URL names.

    Args:
        url: a path such as "tasks.json" or "/var/lib/app/tasks.json"; "json:tasks.json?durability=os" (or
            "file:..."), which may carry options; or "memory:".
        options: passed to the store; they win over those in the URL. See JsonStore.

    Raises:
        InvalidValue: no store has that scheme, or an option is unknown.
        StoreError: it cannot be opened.

    >>> open_store("memory:")
    MemoryStore()
    """
    text = os.fspath(url)
    scheme, colon, _ = text.partition(":")
    if not colon or "/" in scheme or os.sep in scheme:
        return _json(text, options)
    match scheme.lower():
        case "json" | "file":
            parts = urlsplit(text)
            if parts.netloc not in ("", "localhost"):
                raise InvalidValue.of("url", "a local path after its scheme, as in json:///var/lib/tasks.json", text)
            return _json(unquote(parts.path), dict(parse_qsl(parts.query)) | options)
        case "memory":
            if options:
                raise InvalidValue.of("options", "empty for a memory store", options)
            return MemoryStore()
    raise InvalidValue.of("url", "a path, json:PATH or memory:", text)


def _json(path: str, options: dict[str, Any]) -> JsonStore:
    if not path:
        raise InvalidValue.of("path", "the path of a file", path)
    try:
        return JsonStore(path, **options)
    except TypeError as error:
        raise InvalidValue(f"options must be those of JsonStore: {error}") from None
