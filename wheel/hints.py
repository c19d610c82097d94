"""What to pass in the place of a value that is not strict JSON: an expression in which ``value`` stands for it.

Each hint helps: whoever follows it passes something that is taken, or that has a hint of its own which is nearer to it.
Code of the value is run only where a hint is true of some values of its kind and not of others.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import is_dataclass
from datetime import date, time, timedelta
from enum import Enum
from typing import Any, Final

AN_ID: Final = "pass an id, not an object"
_AS_TEXT: Final = frozenset({"decimal", "uuid", "fractions", "ipaddress", "zoneinfo", "django.utils.functional"})
"""Modules whose objects say all that they are by str(). (The last one makes texts that are translated when needed.)"""
_PLAIN: Final = (int, float, str, list, dict)


def hint(value: object) -> str:
    """What to pass in the place of a value.

    >>> hint(timedelta(1)), hint(1j), hint(range(3))
    ('pass value.total_seconds()', 'pass str(value)', 'pass list(value)')
    """
    try:
        return _hint(value)
    except Exception:  # an object of the user's making need not like to be looked at
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
    """What to pass in the place of a dict of which a key is no plain str."""
    keys, inside = [*keys], "str(key)"
    with suppress(Exception):  # they are of the user's making
        if all(isinstance(key, Enum) and type(key.value) is str for key in keys):
            inside = "key.value"
        elif any(type(str(key)) is not str for key in keys):
            inside = '"".join(str(key))'
    return f"pass {{{inside}: item for key, item in value.items()}}"


def hint_of_int(value: int) -> str:
    """What to pass in the place of a number that is too large."""
    most = sys.get_int_max_str_digits()
    return "pass hex(value)" if most and value.bit_length() > 3 * most else "pass str(value)"


def _of_subclass(value: Any, plain: type) -> str:
    """A plain copy of an object of a subclass. A member of an enumeration may call itself something else."""
    if plain in (list, dict):
        return f"{plain.__name__}(value)"
    name = plain.__name__
    own = getattr(plain, "__str__" if plain is str else "__pos__")
    with suppress(Exception):  # it is of the user's making
        copy = plain(value)
        if type(copy) is plain and copy == own(value):
            return f"{name}(value)"
    if isinstance(value, Enum) and type(value.value) is plain:
        return "value.value"
    return "str.__str__(value)" if plain is str else f"{name}.__pos__(value)"


def _expression(value: Any) -> str | None:  # noqa: PLR0911 - one for each kind
    kind = type(value)
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
    if callable(getattr(kind, "tolist", None)):  # numpy's scalars and arrays, and what is like them
        return "value.tolist()"
    if callable(getattr(kind, "model_dump", None)):  # pydantic
        return 'value.model_dump(mode="json")'
    if callable(getattr(kind, "values_list", None)):  # a query of Django's
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
    """The hint for what only its maker can take apart."""
    kind = value.__class__  # what stands for another object, such as Django's request.user, says that one's
    own = getattr(value, "__dict__", None)
    if isinstance(value, type) or callable(value):
        found = ", or value.__name__" if isinstance(getattr(value, "__name__", None), str) else ""
    elif hasattr(kind, "_meta") and hasattr(kind, "pk"):  # Django's models
        found = ": value.pk"
    elif isinstance(own, dict) and isinstance(own.get("id"), (int, str)):
        found = ": value.id"
    elif isinstance(value, tuple):
        found = ", or list(value)"
    elif is_dataclass(kind) or hasattr(kind, "__attrs_attrs__"):
        found = f", or {'dataclasses' if is_dataclass(kind) else 'attrs'}.asdict(value)"
    else:
        found = ", or vars(value)" if isinstance(own, dict) else ""
    return AN_ID + found
