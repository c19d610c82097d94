"""Conf: the settings of one scheduler, in layers.

From the lowest to the highest: the defaults; a TOML table; the environment; an object or module; what the code says
itself, as keyword arguments of Scheduler or by ``app.conf``. The highest that says something holds; one that says UNSET
is passed over. The two lowest of them are not looked at before a setting is needed that those above leave open.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from ..errors import InvalidValue
from ..worker.pool.options import PoolOptions
from .sources import ASSIGNED, KEYWORDS, Layer, checked_environ, from_environ, from_object, from_toml, misspelt, taken
from .table import POOL, SETTINGS, UNSET, canonical, plain

DEFAULT: Final = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A setting as it stands."""

    name: str
    value: Any
    source: str
    """Where it stands, in words: "default", "environment, HOURWHEEL_WORKERS", "app.conf" ..."""


class Conf(Mapping[str, Any]):
    """The settings of a scheduler: ``app.conf``.

    They are read and set as attributes and as items, under our names and under Celery's where the two mean the same.
    Setting one checks it at once; several (``update``) are all set or none.

    >>> app.conf.result_ttl
    3600
    >>> app.conf.result_ttl = 60
    >>> app.conf["result_expires"], app.conf.source("result_ttl")
    (60, 'app.conf')
    >>> app.conf.result_ttl = UNSET
    >>> app.conf.result_ttl
    3600
    """

    def __init__(
        self,
        changed: Callable[[frozenset[str]], None] | None = None,
        *,
        arguments: Mapping[str, Any] | None = None,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        """Nothing is read yet.

        Args:
            arguments: those of Scheduler().
            changed: told which settings may have other values now; what it raises undoes the change.
            environ: the environment.
        """
        self._changed: Callable[[frozenset[str]], None] | None = None
        self._environ = environ
        self._lock = threading.RLock()
        self._code: Layer = {}
        self._object: Layer = {}
        self._toml: Layer | None = None
        self._set(taken((name, value, KEYWORDS) for name, value in (arguments or {}).items() if value is not UNSET))
        self._changed = changed

    # ---- reading -----------------------------------------------------------------------------------------

    def known(self, name: str) -> Known:
        """A setting, its value and where that stands.

        Raises:
            UnknownSetting: there is no such setting.
            InvalidValue: the TOML table or the variable that says it cannot be taken.
        """
        name = canonical(name)
        for layer in (self._code, self._object):
            held = layer.get(name)
            if held is not None and held.value is not UNSET:
                return Known(name=name, value=held.value, source=held.source)
        try:
            held = from_environ(self._environ, name)
        except InvalidValue:
            checked_environ(self._environ)  # which says what else is wrong
            raise
        if held is None or held.value is UNSET:
            held = self._lowest().get(name)
        if held is None or held.value is UNSET:
            return Known(name=name, value=SETTINGS[name].default, source=DEFAULT)
        return Known(name=name, value=held.value, source=held.source)

    def _lowest(self) -> Layer:
        if self._toml is None:
            if misspelt(self._environ):
                checked_environ(self._environ)
            self._toml = from_toml()
        return self._toml

    def source(self, name: str) -> str:
        """Where the value of a setting stands, in words."""
        return self.known(name).source

    def all(self) -> list[Known]:
        """All settings, in the order of the documentation."""
        return [self.known(name) for name in SETTINGS]

    def pool_options(self) -> PoolOptions:
        """The pool that the settings make together.

        Raises:
            InvalidValue: they do not go together; the message says where each stands.
        """
        found = [self.known(name) for name in POOL]
        try:
            return _pool_of({known.name: known.value for known in found})
        except InvalidValue as error:
            told = ", ".join(f"{known.name}: {known.source}" for known in found if known.source != DEFAULT)
            raise InvalidValue(f"{error} ({told})") from None

    def __getitem__(self, name: str) -> Any:
        return self.known(name).value

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return self.known(name).value

    def __iter__(self) -> Iterator[str]:
        return iter(SETTINGS)

    def __len__(self) -> int:
        return len(SETTINGS)

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *SETTINGS]

    def __repr__(self) -> str:
        told = [f"{k.name}={plain(k.value)!r} ({k.source})" for k in self.all() if k.source != DEFAULT]
        return f"<Conf: {', '.join(told) or 'all by default'}>"

    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other

    # ---- setting -----------------------------------------------------------------------------------------

    def update(self, values: Mapping[str, Any] | None = None, /, **settings: Any) -> None:
        """Set several at once: all of them, or none.

        Raises:
            UnknownSetting, InvalidValue: one cannot be taken, or they do not go together.
            SchedulerError: the store is open, and would be another one.

        >>> app.conf.update(result_ttl=60, task_default_queue="slow")
        >>> app.conf.update(result_ttl=UNSET, task_default_queue=UNSET)
        """
        pairs = [*dict(values or {}).items(), *settings.items()]
        self._set(taken((name, value, ASSIGNED) for name, value in pairs))

    def take(self, obj: Any, namespace: str | None) -> None:
        """An object in the place of the one before."""
        with self._lock:
            self._commit(self._code, from_object(obj, namespace))

    def _set(self, layer: Layer) -> None:
        with self._lock:
            self._commit({**self._code, **layer}, self._object)

    def _commit(self, code: Layer, object_: Layer) -> None:
        before = self._code, self._object
        names = _differing(before[0], code) | _differing(before[1], object_)
        self._code, self._object = code, object_
        try:
            if names & {*POOL}:
                self._together()
            if names & {"store", "durability"}:
                self._one_durability()
            if names and self._changed is not None:
                self._changed(names)
        except BaseException:
            self._code, self._object = before
            raise

    def _together(self) -> None:
        """Refuse what does not go together. The lower layers are asked only if the code's own do not."""
        said = {**self._object, **self._code}
        try:
            _pool_of({name: said[name].value for name in POOL if name in said and said[name].value is not UNSET})
        except InvalidValue as error:
            if "pool" in said or self.source("pool") == DEFAULT:
                raise error from None
            self.pool_options()

    def _one_durability(self) -> None:
        """Refuse a durability that a Store would not know of, whichever is said first."""
        said = {name: held.value for name, held in {**self._object, **self._code}.items() if held.value is not UNSET}
        if not isinstance(said.get("store", ""), str) and said.get("durability") is not None:
            rule = "absent when a Store is given, which has its own"
            raise InvalidValue.of("durability", rule, said["durability"])

    def __setattr__(self, name: str, value: Any) -> None:
        if name.startswith("_"):
            object.__setattr__(self, name, value)
        else:
            self.update({name: value})

    def __delattr__(self, name: str) -> None:
        self.update({name: UNSET})

    def __setitem__(self, name: str, value: Any) -> None:
        self.update({name: value})

    def __delitem__(self, name: str) -> None:
        self.update({name: UNSET})


def _differing(before: Layer, after: Layer) -> frozenset[str]:
    return frozenset(name for name in {**before, **after} if before.get(name) != after.get(name))


def _pool_of(values: Mapping[str, Any]) -> PoolOptions:
    rest = dict(values)
    return PoolOptions(given_workers=rest.pop("workers", None), **rest)
