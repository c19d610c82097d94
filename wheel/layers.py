"""Layers: where settings are read from besides code that sets them: a TOML table, the environment, objects.

Each gives what it holds with the words that say where that stands, so that an error and ``hourwheel config`` can.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any, Final

from .celery_names import RENAMED
from .errors import InvalidValue, UnknownSetting
from .settings import SETTINGS, accepted, near_miss

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
        UnknownSetting, InvalidValue: one cannot be taken; the message says where it stands.
    """
    layer: dict[str, Held] = {}
    for name, value, source in pairs:
        with _placed(source):
            found = accepted(name, value)
            if found is None:
                continue
            ours, kept = found
            if ours in layer:
                raise InvalidValue(f"{name} must be absent where {ours} is given by another name, too")
        layer[ours] = Held(kept, source)
    return layer


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
            layer = taken((name, value, source) for name, value in table.items())
            for name in layer:
                if SETTINGS[name].read is None:
                    raise InvalidValue(f"{source}: {name} must be given in code, got a table")
            return layer
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


def refuse_misspelt(environ: Mapping[str, str]) -> None:
    """Refuse a variable that is nearly one of ours; others that begin so may belong to somebody else.

    (A container platform sets HOURWHEEL_SERVICE_HOST and the like for a service that is called hourwheel.)

    Raises:
        UnknownSetting: there is one.
    """
    for variable in strangers(environ):
        name = variable.removeprefix(PREFIX).lower()
        near = RENAMED.get(name) or near_miss(name, 0.8)
        if near is not None:
            near = RENAMED.get(near, near)
            raise UnknownSetting(f"there is no variable {variable}; did you mean {PREFIX}{near.upper()}?")


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
        if not key.startswith(prefix) or (key.startswith("_") and not strict):
            continue
        value = member.get() if isinstance(member, _Lazy) else member
        name = key[len(prefix) :].lower() if prefix else key
        if prefix or strict or not _belongs_to_the_module(key, value, shown):
            yield name, value, f"{shown}, {key}"


def _belongs_to_the_module(key: str, value: Any, shown: str) -> bool:
    """Whether it is no setting: what the module imports and defines, and its constants."""
    if key in SETTINGS or key in RENAMED:
        return False
    if key.isupper():
        if key.lower() in SETTINGS or key.lower() in RENAMED:
            raise UnknownSetting(f"{shown}: {key} must be written {key.lower()}, or a namespace be given")
        return True
    return isinstance(value, ModuleType) or callable(value) or type(value).__module__ == "__future__"


def _name_of(obj: Any) -> str:
    name = getattr(obj, "__qualname__" if isinstance(obj, type) else "__name__", None)
    return name if isinstance(name, str) else f"a {type(obj).__name__}"


def imported(name: str) -> Any:
    """The module, or the attribute of one, of that name.

    Raises:
        InvalidValue: there is none. What an import of it raises goes through.
    """
    module, colon, attribute = name.partition(":")
    if not all(part.isidentifier() for part in f"{module}.{attribute or 'x'}".split(".")):
        raise InvalidValue.of("obj", "an object, or module or module:attribute", name)
    if not colon and not has_module(module):
        module, _, attribute = module.rpartition(".")
    if not module or not has_module(module):
        raise InvalidValue.of("obj", "an object, or the name of a module that can be imported", name)
    found: Any = import_module(module)
    for part in filter(None, attribute.split(".")):
        if not hasattr(found, part):
            raise InvalidValue.of("obj", f"the name of an object; {found.__name__} has no {part!r}", name)
        found = getattr(found, part)
    return found


def has_module(name: str) -> bool:
    """Whether there is a module of that name. Its packages are imported, itself it is not."""
    parent, _, _ = name.rpartition(".")
    if parent and not has_module(parent):
        return False
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError as error:
        if error.name == name or (parent and error.name == parent):
            return False  # the parent is a module and no package
        raise
    except ValueError:  # a module that was put together by hand has no spec
        return True
