"""Hints for error messages: what to pass instead of a value that is not strict JSON, as an expression of ``value``.

Following a hint gives a value that is accepted, or one whose own hint leads further. The value's own code is called
only if the right hint depends on more than its type.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Coroutine, Iterable, Mapping
from contextlib import suppress
from dataclasses import is_dataclass
from datetime import date, time, timedelta
from enum import Enum
from typing import Any, Final

AN_ID: Final = "pass an id, not an object"
_AS_TEXT: Final = frozenset({"decimal", "uuid", "fractions", "ipaddress", "zoneinfo", "django.utils.functional"})
"""Modules whose objects are fully described by str(). (Objects of the last one are lazily translated texts.)"""
_PLAIN: Final = (int, float, str, list, dict)


def hint(value: object) -> str:
    """Return a hint for a value.

    >>> hint(timedelta(1)), hint(1j), hint(range(3))
    ('pass value.total_seconds()', 'pass str(value)', 'pass list(value)')
    """
    try:
        return _hint(value)
    except Exception:  # attributes of a user's object may raise anything
        return AN_ID


def _hint(value: object) -> str:
    for plain in _PLAIN:
        if isinstance(value, plain):
            return f"its subclass would be lost: pass {_of_subclass(value, plain)}"
    if isinstance(value, tuple) and type(value) is tuple:
        return "a tuple would come back as a list: pass list(value)"
    if isinstance(value, (bytes, bytearray, memoryview)):
        return "pass base64 text, such as base64.b64encode(value).decode()"
    found = _expression(value)
    return f"pass {found}" if found else _of_object(value)


def hint_of_keys(keys: Iterable[object]) -> str:
    """Return a hint for a dict whose keys are not all plain str."""
    keys, inside = [*keys], "str(key)"
    with suppress(Exception):  # from a user's class
        if all(isinstance(key, Enum) and type(key.value) is str for key in keys):
            inside = "key.value"
        elif any(type(str(key)) is not str for key in keys):
            inside = '"".join(str(key))'
    return f"pass {{{inside}: item for key, item in value.items()}}"


def hint_of_int(value: int) -> str:
    """Return a hint for an int that is too large."""
    most = sys.get_int_max_str_digits()
    return "pass hex(value)" if most and value.bit_length() > 3 * most else "pass str(value)"


def _of_subclass(value: Any, plain: type) -> str:
    """An expression for a plain copy of an object of a subclass. The str() of an enum member may differ from it."""
    if plain in (list, dict):
        return f"{plain.__name__}(value)"
    name = plain.__name__
    own = getattr(plain, "__str__" if plain is str else "__pos__")
    with suppress(Exception):  # from a user's class
        copy = plain(value)
        if type(copy) is plain and copy == own(value):
            return f"{name}(value)"
    if isinstance(value, Enum) and type(value.value) is plain:
        return "value.value"
    return "str.__str__(value)" if plain is str else f"{name}.__pos__(value)"


def _expression(value: Any) -> str | None:  # noqa: PLR0911 - one for each kind
    kind = type(value)
    if isinstance(value, Coroutine):
        return "await value"
    if isinstance(value, Enum):
        return "value.value"
    if isinstance(value, (date, time)):
        return "value.isoformat()"
    if isinstance(value, timedelta):
        return "value.total_seconds()"
    if isinstance(value, (complex, os.PathLike, BaseException)) or _AS_TEXT & {one.__module__ for one in kind.__mro__}:
        return "str(value)"
    if isinstance(value, (set, frozenset)):
        return "sorted(value)" if _sorts(value) else "list(value)"
    if callable(getattr(kind, "tolist", None)):  # scalars and arrays of numpy and the like
        return "value.tolist()"
    if callable(getattr(kind, "model_dump", None)):  # pydantic
        return 'value.model_dump(mode="json")'
    if callable(getattr(kind, "values_list", None)):  # Django's querysets
        return 'list(value.values_list("pk", flat=True))'
    if isinstance(value, Mapping):
        return "dict(value)"
    if hasattr(kind, "__next__") or (isinstance(value, Iterable) and not isinstance(value, (type, tuple))):
        return "list(value)"
    return None


def _sorts(value: Any) -> bool:
    try:
        return bool(sorted(value)) or not value
    except Exception:  # they cannot be compared
        return False


def _of_object(value: Any) -> str:
    """The hint for other objects."""
    kind = value.__class__  # of a proxy such as Django's request.user, this is the real object's class
    own = getattr(value, "__dict__", None)
    if isinstance(value, type) or callable(value):
        found = ", or value.__name__" if isinstance(getattr(value, "__name__", None), str) else ""
    elif hasattr(kind, "_meta") and hasattr(kind, "pk"):  # Django's models
        found = ": value.pk"
    elif (isinstance(own, dict) and isinstance(own.get("id"), (int, str))) or "id" in vars(kind).get("__slots__", ()):
        found = ": value.id"
    elif isinstance(value, tuple):
        found = ", or list(value)"
    elif is_dataclass(kind) or hasattr(kind, "__attrs_attrs__"):
        found = f", or {'dataclasses' if is_dataclass(kind) else 'attrs'}.asdict(value)"
    else:
        found = ", or vars(value)" if isinstance(own, dict) else ""
    return AN_ID + found
