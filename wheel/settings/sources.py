"""Layers: where settings are read from besides code that sets them: a TOML table, the environment, objects.

Each gives what it holds with the words that say where that stands, so that an error and ``hourwheel config`` can.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Final

from ..errors import InvalidValue, UnknownSetting
from ..tasks.discovery import imported
from .celery import RENAMED, is_old, modern
from .table import SETTINGS, accepted, near_miss, what_to_write

PREFIX: Final = "HOURWHEEL_"
OTHERS: Final = frozenset({"HOURWHEEL_APP", "HOURWHEEL_DEBUG"})
"""Variables of the command line that are no settings."""
_FILES: Final = (("hourwheel.toml", ()), ("pyproject.toml", ("tool", "hourwheel")))
"""Where a table is looked for, and under which keys; the first that is there is taken."""


@dataclass(frozen=True, slots=True)
class Held:
    """A value, and where it stands."""

    value: Any
    source: str


Layer = Mapping[str, Held]


def taken(pairs: Iterable[tuple[str, Any, str]]) -> dict[str, Held]:
    """A layer of (name, value, where it stands), all of them checked.

    Raises:
        UnknownSetting, InvalidValue: some cannot be taken; the message says of each where it stands, and why.
    """
    layer: dict[str, Held] = {}
    errors: list[InvalidValue] = []
    for name, value, source in pairs:
        try:
            with _placed(source):
                if isinstance(value, InvalidValue):
                    raise value
                found = accepted(name, value)
                if found is not None and found[0] in layer:
                    raise InvalidValue(f"{name} must be absent where {found[0]} is given by another name, too")
        except InvalidValue as error:
            errors.append(error)
            continue
        if found is not None:
            layer[found[0]] = Held(found[1], source)
    refuse_all(errors)
    return layer


def refuse_all(errors: Sequence[InvalidValue]) -> None:
    """Raise what was found, all of it at once: one at a time, a program with many settings would need many runs.

    Raises:
        UnknownSetting, InvalidValue: there is any.
    """
    if len(errors) == 1:
        raise errors[0] from None
    if errors:
        kind = UnknownSetting if all(isinstance(error, UnknownSetting) for error in errors) else InvalidValue
        lines = "".join(f"\n  {error}" for error in dict.fromkeys(map(str, errors)))
        raise kind(f"{len(errors)} settings cannot be taken:{lines}")


@contextmanager
def _placed(source: str) -> Iterator[None]:
    """An error in the block says where the value stands, unless it was given in the very call."""
    try:
        yield
    except InvalidValue as error:
        if source in IN_THE_CALL:
            raise
        raise type(error)(f"{source}: {error}") from None


KEYWORDS: Final = "arguments of Scheduler()"
ASSIGNED: Final = "app.conf"
IN_THE_CALL: Final = (KEYWORDS, ASSIGNED)
"""What stands in the line that raises."""

# ---- TOML ------------------------------------------------------------------------------------------------


def from_toml() -> Layer:
    """What ``hourwheel.toml`` or the table ``[tool.hourwheel]`` of ``pyproject.toml`` in the current directory holds.

    Raises:
        InvalidValue: there is one that cannot be read, or a value that cannot be taken.
    """
    for file, keys in _FILES:
        table = _table(file, keys)
        if table is not None:
            source = os.path.abspath(file) + (f" [{'.'.join(keys)}]" if keys else "")
            return taken((name, _in_toml(name, value), source) for name, value in table.items())
    return {}


def _in_toml(name: str, value: Any) -> Any:
    """The value, or why it cannot stand in a table."""
    if name in SETTINGS and SETTINGS[name].read is None:
        return InvalidValue(f"{name} must be given in code, got a table")
    return value


def _table(file: str, keys: tuple[str, ...]) -> dict[str, Any] | None:
    try:
        with open(file, "rb") as opened:
            data = opened.read()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise InvalidValue(f"{file} cannot be read: {error.strerror or error}") from None
    if keys and keys[-1].encode() not in data:
        return None  # whatever else stands in it is not for us, nor are its errors
    try:
        found: Any = tomllib.loads(data.decode("utf-8-sig"))
    except ValueError as error:
        raise InvalidValue(f"{os.path.abspath(file)} cannot be read: {error}") from None
    for key in keys:
        found = found.get(key) if isinstance(found, dict) else None
    if found is not None and not isinstance(found, dict):
        raise InvalidValue.of(f"{'.'.join(keys)} in {file}", "a table", found)
    return found


# ---- the environment -------------------------------------------------------------------------------------


def from_environ(environ: Mapping[str, str], name: str) -> Held | None:
    """What the variable of a setting says.

    Raises:
        InvalidValue: it breaks the rule of the setting.
    """
    variable = PREFIX + name.upper()
    text = environ.get(variable)
    if text is None:
        return None
    source = f"environment, {variable}"
    with _placed(source):
        return Held(SETTINGS[name].of_text(text), source)


def checked_environ(environ: Mapping[str, str]) -> None:
    """Refuse variables that cannot be taken, and those that are nearly ours; others may belong to somebody else.

    (A container platform sets HOURWHEEL_SERVICE_HOST and the like for a service that is called hourwheel.)

    Raises:
        UnknownSetting, InvalidValue: there are any; all are said.
    """
    errors: list[InvalidValue] = []
    for name in SETTINGS:
        try:
            from_environ(environ, name)
        except InvalidValue as error:
            errors.append(error)
    for variable, near in misspelt(environ).items():
        errors.append(UnknownSetting(f"there is no variable {variable}; did you mean {near}?"))
    refuse_all(errors)


def misspelt(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables that are nearly one of ours: and which."""
    found = {}
    for variable in strangers(environ):
        name = variable.removeprefix(PREFIX).lower()
        near = RENAMED.get(name) or near_miss(name, 0.8)
        if near is not None:
            found[variable] = PREFIX + RENAMED.get(near, near).upper()
    return found


def strangers(environ: Mapping[str, str]) -> list[str]:
    """The variables that begin with HOURWHEEL_ and are none of ours."""
    ours = {PREFIX + name.upper() for name in SETTINGS} | OTHERS
    return sorted(name for name in environ if name.startswith(PREFIX) and name not in ours)


# ---- objects ---------------------------------------------------------------------------------------------


def from_object(obj: Any, namespace: str | None) -> Layer:
    """What a module, a class, an object or a dict holds, or the one that a name stands for.

    Args:
        obj: it, or "module", "module:attribute" or "module.attribute".
        namespace: take what begins with it and ``_``, such as CELERY or HOURWHEEL in Django's settings; None for all.

    Raises:
        UnknownSetting, InvalidValue: something in it cannot be taken, or there is no object of that name.
    """
    if namespace is not None and (type(namespace) is not str or not namespace.isidentifier()):
        raise InvalidValue.of("namespace", "a word such as CELERY, or None", namespace)
    shown = obj if isinstance(obj, str) else _name_of(obj)
    found = imported(obj) if isinstance(obj, str) else obj
    members = list(found.items()) if isinstance(found, Mapping) else [(name, _Lazy(found, name)) for name in dir(found)]
    return taken(_named(members, namespace, shown, strict=isinstance(found, Mapping)))


_PASSED_OVER: Final = object()


@dataclass(frozen=True, slots=True)
class _Lazy:
    """An attribute that is not read unless it is wanted."""

    of: Any
    name: str

    def get(self) -> Any:
        return getattr(self.of, self.name)


def _named(
    members: Iterable[tuple[Any, Any]], namespace: str | None, shown: str, *, strict: bool
) -> Iterator[tuple[str, Any, str]]:
    prefix = "" if namespace is None else f"{namespace}_"
    for key, member in members:
        if strict and type(key) is not str:
            raise InvalidValue.of(f"a key of {shown}", "the name of a setting", key)
        if namespace == "CELERY" and is_old(key):
            yield key, _old(key, prefix), shown
            continue
        if not key.startswith(prefix) or (key.startswith("_") and not strict):
            continue
        value = member.get() if isinstance(member, _Lazy) else member
        name = key[len(prefix) :].lower() if prefix else key
        if not prefix and not strict:
            value = _of_module(key, value)
        if value is not _PASSED_OVER:
            yield name, value, shown if isinstance(value, InvalidValue) else f"{shown}, {key}"


def _old(key: str, prefix: str = "") -> UnknownSetting:
    """That Celery has called a setting otherwise since its version 4; before, it would be passed over in silence."""
    now = modern(key, SETTINGS) or key.lower()
    told = what_to_write(now)
    if told == f"write {now}" and prefix:
        told = f"write {prefix}{now.upper()}"
    return UnknownSetting(f"{key} is a name of Celery 3: {told}")


def _of_module(key: str, value: Any) -> Any:
    """The value, or why it is none; _PASSED_OVER for what the module imports and defines, and for its constants."""
    if key in SETTINGS or key in RENAMED:
        return value
    if key.isupper():
        if key.lower() in SETTINGS or key.lower() in RENAMED:
            return UnknownSetting(f"{key} must be written {key.lower()}, or a namespace be given")
        return _old(key) if is_old(key) or key.startswith("CELERY_") else _PASSED_OVER
    ours = isinstance(value, ModuleType) or callable(value) or type(value).__module__ == "__future__"
    return _PASSED_OVER if ours else value


def _name_of(obj: Any) -> str:
    name = getattr(obj, "__qualname__" if isinstance(obj, type) else "__name__", None)
    return name if isinstance(name, str) else f"a {type(obj).__name__}"
