"""open_store: a store by its path or URL."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from ..clock import Clock
from ..contract import Store
from ..errors import InvalidValue
from .file.readonly import ReadOnlyStore
from .file.store import JsonStore
from .memory import MemoryStore


def open_store(url: str | os.PathLike[str], *, clock: Clock | None = None, **options: Any) -> Store:
    """Open the store that a path or URL names.

    Args:
        url: a path such as "tasks.json" or "/var/lib/app/tasks.json"; "json:tasks.json?durability=os" (or
            "file:..."), with or without options; or "memory:", also with options. "json:tasks.json?read_only=true"
            opens it as a ReadOnlyStore.
        clock: tells the store the time, for dropping old results.
        options: passed to the store, in place of those in the URL. See JsonStore.

    Raises:
        InvalidValue: no store has that scheme, or an option is unknown.
        StoreError: it cannot be opened.

    >>> open_store("memory:")
    MemoryStore()
    """
    path, told = _parse(os.fspath(url))
    given = told | options
    read_only = given.pop("read_only", False)
    if not isinstance(read_only, bool):
        raise InvalidValue.of("read_only", "True or False", read_only)
    try:
        if path is not None and read_only:
            return ReadOnlyStore(path, **{name: value for name, value in given.items() if name not in _FOR_WRITING})
        return MemoryStore(**given) if path is None else JsonStore(path, clock=clock, **given)
    except TypeError as error:
        kind = "MemoryStore" if path is None else "JsonStore"
        raise InvalidValue(f"options must be those of {kind}: {error}") from None


def path_of(url: str | os.PathLike[str]) -> str | None:
    """The path of the file that a path or URL names; None if that store is not in a file.

    Raises:
        InvalidValue: no store has that scheme.

    >>> path_of("json:tasks.json?durability=os"), path_of("memory:")
    ('tasks.json', None)
    """
    return _parse(os.fspath(url))[0]


def _parse(text: str) -> tuple[str | None, dict[str, Any]]:
    """(the path or None, the options in the URL)."""
    path: str = text
    told: dict[str, Any] = {}
    scheme, colon, _ = text.partition(":")
    if colon and "/" not in scheme:
        match scheme.lower():
            case "json" | "file":
                parts = urlsplit(text)
                if parts.netloc not in ("", "localhost"):
                    raise InvalidValue.of(
                        "url", "a local path after its scheme, as in json:///var/lib/tasks.json", text
                    )
                path, told = unquote(parts.path), _options_in(parts.query)
            case "memory":
                return None, _options_in(urlsplit(text).query)
            case _:
                raise InvalidValue.of("url", "a path, json:PATH or memory:", text)
    if not path:
        raise InvalidValue.of("path", "the path of a file", path)
    return path, told


def _options_in(query: str) -> dict[str, Any]:
    """The options of a URL, each in its type."""
    return {name: _VALUES.get(name, str)(text) for name, text in parse_qsl(query, keep_blank_values=True)}


def _number(kind: type[float], text: str) -> float | str:
    try:
        return kind(text)
    except ValueError:
        return text  # it breaks the rule of its option, whose message says so


def _flag(text: str) -> bool:
    if text.lower() not in _FLAGS:
        raise InvalidValue.of("flag in a URL", "true or false", text)
    return _FLAGS[text.lower()]


_FLAGS: Final = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
_VALUES: Final[dict[str, Callable[[str], Any]]] = {
    "lock_timeout_s": partial(_number, float),
    "max_pending": partial(_number, int),
    "failed_ttl": partial(_number, float),
    "allow_network_fs": _flag,
    "allow_shared_directory": _flag,
    "read_only": _flag,
}
_FOR_WRITING: Final = frozenset({"durability", *_VALUES})
"""Options without a meaning for a ReadOnlyStore."""
