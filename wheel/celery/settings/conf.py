"""Conf: ``app.conf`` with Celery's settings: those that we have are ours, the others are kept as they were said.

A setting that asks for what cannot be (pickle) is refused. One that says how to talk to a broker or a result backend
has nothing to do here and is kept, so that the same configuration serves both. A program's own settings are kept, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from difflib import get_close_matches
from typing import Any, Final

from ...errors import InvalidValue, UnknownSetting
from ...settings.celery import RENAMED, is_old, modern
from ...settings.conf import DEFAULT, Conf
from ...settings.sources import Known
from ...settings.table import SETTINGS, UNSET, accepted
from .defaults import DEFAULTS, REFUSED

_JSON: Final = ("json", "application/json")
_HAVE_JSON: Final = frozenset({"accept_content", "result_accept_content"})
_ARE_JSON: Final = frozenset({"task_serializer", "result_serializer", "event_serializer"})
_OURS: Final = frozenset({*SETTINGS, *RENAMED})


class CeleryConf(Conf):
    """The settings of a Celery app."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self._kept: dict[str, Any] = {}
        super().__init__(*args, **options)

    def accept(self, name: str, value: Any) -> tuple[str, Any] | None:
        """A setting of ours with its value; None for one that is kept here."""
        if name in _OURS:
            return accepted(name, value)
        if is_old(name) or (name not in DEFAULTS and (now := modern(name, {*SETTINGS, *DEFAULTS})) and now != name):
            raise UnknownSetting(
                f"{name} is a name of Celery 3: write {modern(name, {*SETTINGS, *DEFAULTS}) or name.lower()}"
            )
        _refuse_pickle(name, value)
        if name in REFUSED and value is not None and value is not UNSET:
            raise InvalidValue(f"{name} must be left out: {REFUSED[name]}")
        if name == "enable_utc" and value is False:
            raise InvalidValue.of(
                name,
                "True: instants are kept in UTC; timezone says how crontab() and times without a zone are understood",
                value,
            )
        if value is UNSET:
            self._kept.pop(name, None)
        else:
            self._kept[name] = value
        return None

    def update(self, values: Mapping[str, Any] | None = None, /, **settings: Any) -> None:
        """Set several at once: all of them, or none; see Conf.update."""
        with self._all_or_none():
            super().update(values, **settings)

    def take(self, obj: Any, namespace: str | None = None) -> None:
        """Take settings from an object: all of them, or none; see Conf.take."""
        with self._all_or_none():
            super().take(obj, namespace)

    @contextmanager
    def _all_or_none(self) -> Iterator[None]:
        before = dict(self._kept)
        try:
            yield
        except BaseException:
            self._kept = before
            raise

    # ---- reading -----------------------------------------------------------------------------------------

    def known(self, name: str) -> Known:
        """See Conf.known. The default queue has Celery's name, so that `worker -Q celery` is right."""
        found = super().known(name)
        of_ours = found.name == "task_default_queue" and found.source == DEFAULT
        return replace(found, value="celery") if of_ours else found

    def __getitem__(self, name: str) -> Any:
        if name in _OURS:
            return super().__getitem__(name)
        if name in self._kept:
            return self._kept[name]
        if name in DEFAULTS:
            return DEFAULTS[name]
        near = get_close_matches(name, [*_OURS, *DEFAULTS, *self._kept], n=1, cutoff=0.8)
        raise UnknownSetting(f"there is no setting {name!r}" + (f"; did you mean {near[0]!r}?" if near else ""))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return self[name]

    def __iter__(self) -> Iterator[str]:
        return iter([*SETTINGS, *DEFAULTS, *(name for name in self._kept if name not in DEFAULTS)])

    def __len__(self) -> int:
        return len([*iter(self)])

    def get(self, name: str, default: Any = None) -> Any:
        """The setting of that name; ``default`` if there is none."""
        try:
            return self[name]
        except KeyError:
            return default

    def setdefault(self, name: str, default: Any = None) -> Any:
        """The setting of that name, which is made ``default`` if there is none."""
        if name not in self:
            self[name] = default
        return self[name]

    def humanize(self, with_defaults: bool = False, censored: bool = True) -> str:
        """The settings as text."""
        return repr(self)

    def table(self, with_defaults: bool = False, censored: bool = True) -> Mapping[str, Any]:
        """The settings that were said."""
        return dict(self._kept)


def _refuse_pickle(name: str, value: Any) -> None:
    if name in _ARE_JSON and value not in _JSON:
        raise InvalidValue.of(name, '"json": pickle is never read', value)
    if name in _HAVE_JSON and value is not None and not any(one in _JSON for one in value):
        raise InvalidValue.of(name, '["json"]: arguments and results are strict JSON, and pickle is never read', value)
