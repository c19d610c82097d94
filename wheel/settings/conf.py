"""Conf: the settings of one scheduler, in layers.

From the highest to the lowest: what the code says itself, as arguments of Scheduler or by ``app.conf``; an object or
module; the environment; a TOML table; the defaults. The first that has a value wins; UNSET counts as none. The
environment and the table are read only when a setting is needed that the layers above do not have.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from ..errors import InvalidValue
from ..worker.pool.options import PoolOptions, pool_options
from . import sources
from .sources import Known, Layer
from .table import POOL, SETTINGS, UNSET, accepted, canonical, plain

DEFAULT: Final = "default"


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
        changed: Callable[[frozenset[str]], None] = lambda _: None,
        *,
        arguments: Mapping[str, Any] | None = None,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        """Nothing is read yet.

        Args:
            changed: told which settings may have other values now; what it raises undoes the change.
            arguments: those of Scheduler().
            environ: the environment.
        """
        self._changed: Callable[[frozenset[str]], None] = lambda _: None
        self._environ = environ
        self._lock = threading.RLock()
        self._code: Layer = {}
        self._object: Layer = {}
        self._toml: Layer | None = None
        self._set(sources.KEYWORDS, {name: value for name, value in (arguments or {}).items() if value is not UNSET})
        self._changed = changed

    # ---- reading -----------------------------------------------------------------------------------------

    def known(self, name: str) -> Known:
        """A setting, its value and where that stands.

        Raises:
            UnknownSetting: there is no such setting.
            InvalidValue: the TOML table or the variable that says it cannot be taken.
        """
        name = canonical(name)
        for layer in self._layers(name):
            known = layer.get(name)
            if known is not None and known.value is not UNSET:
                return known
        return Known(name, SETTINGS[name].default, DEFAULT)

    def _layers(self, name: str) -> Iterator[Layer]:
        yield self._code
        yield self._object
        yield sources.from_environ(self._environ, name)
        if self._toml is None:
            if sources.misspelt(self._environ):
                sources.refuse_wrong(self._environ)
            self._toml = sources.from_toml()
        yield self._toml

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
            return pool_options({known.name: known.value for known in found})
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

    accept = staticmethod(accepted)
    """What to make of a setting that code or an object says; see table.accepted."""

    def update(self, values: Mapping[str, Any] | None = None, /, **settings: Any) -> None:
        """Set several at once: all of them, or none.

        Raises:
            UnknownSetting, InvalidValue: one cannot be taken, or they do not go together.
            SchedulerError: the store is open, and would be another one.

        >>> app.conf.update(result_ttl=60, task_default_queue="slow")
        >>> app.conf.update(result_ttl=UNSET, task_default_queue=UNSET)
        """
        self._set(sources.ASSIGNED, dict(values or {}), settings)

    def take(self, obj: Any, namespace: str | None = None) -> None:
        """Take settings from an object instead of the one before; see Scheduler.config_from_object."""
        with self._lock:
            self._commit(self._code, sources.from_object(obj, namespace, self.accept))

    def _set(self, source: str, *values: Mapping[str, Any]) -> None:
        layer = sources.taken(((name, value, source) for some in values for name, value in some.items()), self.accept)
        with self._lock:
            self._commit({**self._code, **layer}, self._object)

    def _commit(self, code: Layer, object_: Layer) -> None:
        before = self._code, self._object
        names = _differing(before[0], code) | _differing(before[1], object_)
        self._code, self._object = code, object_
        try:
            self._refuse_contradictions(names)
            if names:
                self._changed(names)
        except BaseException:
            self._code, self._object = before
            raise

    def _refuse_contradictions(self, names: frozenset[str]) -> None:
        """Refuse settings in code that contradict each other, in whatever order they were set."""
        layer = {**self._object, **self._code}
        said = {name: known.value for name, known in layer.items() if known.value is not UNSET}
        if names & {*POOL}:
            try:
                pool_options({name: said[name] for name in POOL if name in said})
            except InvalidValue as error:
                if "pool" in layer or self.source("pool") == DEFAULT:
                    raise error from None
                self.pool_options()  # another pool stands in a lower layer, with which they may
        durability = None if isinstance(said.get("store", ""), str) else said.get("durability")
        if names & {"store", "durability"} and durability is not None:
            raise InvalidValue.of("durability", "absent when a Store is given, which has its own", durability)

    def __setitem__(self, name: str, value: Any) -> None:
        self.update({name: value})

    def __setattr__(self, name: str, value: Any) -> None:
        if name.startswith("_"):
            object.__setattr__(self, name, value)
        else:
            self.update({name: value})

    def __delitem__(self, name: str) -> None:
        self.update({name: UNSET})

    __delattr__ = __delitem__


def _differing(before: Layer, after: Layer) -> frozenset[str]:
    return frozenset(name for name in {**before, **after} if before.get(name) != after.get(name))
