"""Sources: where settings are read from besides code: a TOML table, the environment, objects.

Each gives a layer, in which every value has the words that say where it stands, for errors and ``hourwheel config``.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Final

from ..errors import InvalidValue, UnknownSetting
from ..tasks.discovery import imported
from .celery import RENAMED, is_old, modern
from .table import IN_CODE, SETTINGS, accepted, near_miss, what_to_write

PREFIX: Final = "HOURWHEEL_"
KEYWORDS: Final = "arguments of Scheduler()"
ASSIGNED: Final = "app.conf"
_OTHERS: Final = frozenset({"HOURWHEEL_APP", "HOURWHEEL_DEBUG"})
"""Variables of the command line that are no settings."""
_FILES: Final = (("hourwheel.toml", ()), ("pyproject.toml", ("tool", "hourwheel")))
"""Files and the keys of our table in them; the first that exists is used."""


@dataclass(frozen=True, slots=True)
class Known:
    """A setting, its value and where that stands."""

    name: str
    value: Any
    source: str
    """In words: "default", "environment, HOURWHEEL_WORKERS", "app.conf" ..."""


Layer = Mapping[str, Known]
Said = tuple[str, Any, str]
"""A name, a value or why there can be none, and where it stands."""
Accept = Callable[[str, Any], tuple[str, Any] | None]


def taken(said: Iterable[Said], accept: Accept = accepted) -> Layer:
    """A layer, if all of it can be taken; see table.accepted.

    Raises:
        UnknownSetting, InvalidValue: some cannot be; all of them are named at once, each with its place: one at a time,
            a program with many settings would need many runs.
    """
    layer: dict[str, Known] = {}
    errors: list[InvalidValue] = []
    for name, value, source in said:
        try:
            if isinstance(value, InvalidValue):
                raise value
            if (found := accept(name, value)) is not None:
                if found[0] in layer:
                    raise InvalidValue(f"{name} must be absent where {found[0]} is given by another name, too")
                layer[found[0]] = Known(*found, source)
        except InvalidValue as error:  # what was given in the very call stands in the line that raises
            errors.append(error if source in (KEYWORDS, ASSIGNED) else type(error)(f"{source}: {error}"))
    if len(errors) == 1:
        raise errors[0] from None
    if errors:
        kind = UnknownSetting if all(isinstance(error, UnknownSetting) for error in errors) else InvalidValue
        lines = "".join(f"\n  {error}" for error in dict.fromkeys(map(str, errors)))
        raise kind(f"{len(errors)} settings cannot be taken:{lines}")
    return layer


# ---- TOML ------------------------------------------------------------------------------------------------


def from_toml() -> Layer:
    """What ``hourwheel.toml``, or ``[tool.hourwheel]`` in ``pyproject.toml``, of the current directory holds."""
    for file, keys in _FILES:
        table = _table(file, keys)
        if table is not None:
            source = os.path.abspath(file) + (f" [{'.'.join(keys)}]" if keys else "")
            for name in IN_CODE & table.keys():
                table[name] = InvalidValue(f"{name} must be given in code, got a table")
            return taken((name, value, source) for name, value in table.items())
    return {}


def _table(file: str, keys: tuple[str, ...]) -> dict[str, Any] | None:
    try:
        with open(file, "rb") as opened:
            data = opened.read()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise InvalidValue(f"{file} cannot be read: {error.strerror or error}") from None
    if keys and keys[-1].encode() not in data:
        return None  # what else stands in it is not for us, and neither are its errors
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


def from_environ(environ: Mapping[str, str], name: str) -> Layer:
    """What the variable of one setting says; if it breaks the rule, what is wrong with the others is said as well."""
    try:
        return taken(_variables(environ, [name]))
    except InvalidValue:
        refuse_wrong(environ)
        raise


def refuse_wrong(environ: Mapping[str, str]) -> None:
    """Refuse variables that cannot be taken, and those that are nearly ours; others may belong to somebody else.

    (A container platform sets HOURWHEEL_SERVICE_HOST and the like for a service that is called hourwheel.)
    """
    wrong = [
        (variable, UnknownSetting(f"there is no variable {variable}; did you mean {near}?"), KEYWORDS)
        for variable, near in misspelt(environ).items()
    ]
    taken([*_variables(environ, SETTINGS), *wrong])


def _variables(environ: Mapping[str, str], names: Iterable[str]) -> Iterator[Said]:
    for name in names:
        variable = PREFIX + name.upper()
        if variable in environ:
            yield name, SETTINGS[name].of_text(environ[variable]), f"environment, {variable}"


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
    ours = {PREFIX + name.upper() for name in SETTINGS} | _OTHERS
    return sorted(name for name in environ if name.startswith(PREFIX) and name not in ours)


# ---- objects ---------------------------------------------------------------------------------------------


def from_object(obj: Any, namespace: str | None, accept: Accept = accepted) -> Layer:
    """What a module, a class, an object or a dict holds, or the one that a name stands for.

    Args:
        obj: it, or "module", "module:attribute" or "module.attribute".
        namespace: take what begins with it and ``_``, such as CELERY or HOURWHEEL in Django's settings; None for all.
        accept: see taken.

    Raises:
        UnknownSetting, InvalidValue: something in it cannot be taken, or there is no object of that name.
    """
    if namespace is not None and (type(namespace) is not str or not namespace.isidentifier()):
        raise InvalidValue.of("namespace", "a word such as CELERY, or None", namespace)
    found, shown = (imported(obj), obj) if isinstance(obj, str) else (obj, _name_of(obj))
    return taken(_members(found, namespace, shown), accept)


def _members(found: Any, namespace: str | None, shown: str) -> Iterator[Said]:
    """The settings in it, and errors for names that are nearly settings; no other attribute is read."""
    is_dict, prefix = isinstance(found, Mapping), "" if namespace is None else f"{namespace}_"
    for key in found if is_dict else dir(found):
        if type(key) is not str:
            raise InvalidValue.of(f"a key of {shown}", "the name of a setting", key)
        if namespace == "CELERY" and is_old(key):
            yield key, _old(key, prefix), shown
        elif not key.startswith(prefix) or (key.startswith("_") and not is_dict):
            continue
        elif prefix or is_dict or not key.isupper():
            value = found[key] if is_dict else getattr(found, key)
            if prefix or is_dict or key in SETTINGS or key in RENAMED or not _is_of_module(value):
                yield key[len(prefix) :].lower() if prefix else key, value, f"{shown}, {key}"
        elif (error := _constant(key)) is not None:
            yield key, error, shown


def _is_of_module(value: Any) -> bool:
    """Whether a value is something that a module imports or defines."""
    return isinstance(value, ModuleType) or callable(value) or type(value).__module__ == "__future__"


def _constant(key: str) -> UnknownSetting | None:
    """Why a constant of a module is refused; None for one that has nothing to do with us."""
    if key.lower() in SETTINGS or key.lower() in RENAMED:
        return UnknownSetting(f"{key} must be written {key.lower()}, or a namespace be given")
    return _old(key) if is_old(key) or key.startswith("CELERY_") else None


def _old(key: str, prefix: str = "") -> UnknownSetting:
    """The error for a name that Celery dropped in version 4."""
    now = modern(key, SETTINGS) or key.lower()
    told = what_to_write(now)
    if told == f"write {now}" and prefix:
        told = f"write {prefix}{now.upper()}"
    return UnknownSetting(f"{key} is a name of Celery 3: {told}")


def _name_of(obj: Any) -> str:
    name = getattr(obj, "__qualname__" if isinstance(obj, type) else "__name__", None)
    return name if isinstance(name, str) else f"a {type(obj).__name__}"
