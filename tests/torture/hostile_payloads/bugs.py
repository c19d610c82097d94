"""Mistakes put into the reading and writing of what others say, one at a time; the campaign must notice each."""

from __future__ import annotations

import importlib
import random
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, Final, NamedTuple
from unittest.mock import patch

import simplejson
from hourwheel import payload
from hourwheel.store import codec

from tests.torture.report import Report
from tests.torture.rot.specimen import Specimen

from . import calls, fields, imports, stores

Part = Callable[[Report, random.Random, Specimen], None]


class Bug(NamedTuple):
    """A mistake: what stands in for what, and the part of the campaign that is to notice it."""

    name: str
    places: dict[str, Any]
    part: Part


def _texts(report: Report, choose: random.Random, _: Specimen) -> None:
    calls.texts(report, choose, 4_000)


def _bad(report: Report, choose: random.Random, _: Specimen) -> None:
    calls.bad_values(report, choose, 500)


def _sound(report: Report, choose: random.Random, _: Specimen) -> None:
    calls.sound_values(report, choose, 500)


def _limits(report: Report, _: random.Random, __: Specimen) -> None:
    calls.limits(report)


def _names(report: Report, choose: random.Random, _: Specimen) -> None:
    imports.names(report, choose, 60)


def _options(report: Report, choose: random.Random, _: Specimen) -> None:
    fields.options(report, choose, 800)


def _records(report: Report, choose: random.Random, made: Specimen) -> None:
    stores.records(report, choose, made, 4_000)


def _programs(report: Report, choose: random.Random, made: Specimen) -> None:
    stores.programs(report, choose, made, 60)


def _coercing(value: Any, room: int, depth: int) -> int:
    """Keys that are no strings are taken, and JSON makes strings of them."""
    if type(value) is dict and depth:
        for item in [*value.values()]:
            room = _coercing(item, room - 1, depth - 1)
        return room
    return _RIGHT_SOUND(value, room, depth)


def _by_isinstance(value: Any, room: int, depth: int) -> int:
    if isinstance(value, (str, int)):
        return room - 1
    return _RIGHT_SOUND(value, room, depth)


def _importing(registry: Any, name: str) -> Any:
    try:
        return importlib.import_module(name.rpartition(".")[0] or name)
    except Exception:
        return None


_RIGHT_SOUND: Final = payload._sound
_PAYLOAD: Final = "hourwheel.payload"

BUGS: Final = (
    Bug("NaN and 1e400 are taken", {f"{_PAYLOAD}.isfinite": lambda _: True}, _bad),
    Bug("1e400 is read as infinity", {f"{_PAYLOAD}.isfinite": lambda _: True}, _texts),
    Bug("an int as a key becomes a string", {f"{_PAYLOAD}._sound": _coercing}, _bad),
    Bug("subclasses are taken for what they derive from", {f"{_PAYLOAD}._sound": _by_isinstance}, _bad),
    Bug("a stored name is imported", {"hourwheel.tasks.registry.Registry.find": _importing}, _names),
    Bug("no limit of depth", {f"{_PAYLOAD}.MAX_DEPTH": 1 << 30, f"{_PAYLOAD}.MAX_NODES": 1 << 30}, _bad),
    Bug("the values of a call are counted in two ways", {f"{_PAYLOAD}._OF_CALL": 0}, _limits),
    Bug("floats lose digits", {f"{_PAYLOAD}._FLOAT": lambda value: f"{value:g}"}, _sound),
    Bug("what nests too deeply overflows the stack", {"hourwheel.store.codec.loads": simplejson.loads}, _records),
    Bug("an error shows the whole value", {"hourwheel.errors._shown": repr}, _options),
    Bug(
        "what is no job is an error of the JSON library",
        {
            "hourwheel.store.codec.decode_job": codec._decode_job,
            "hourwheel.store.file.format.snapshot.decode_job": codec._decode_job,
        },
        _programs,
    ),
)


def try_all(report: Report, made: Specimen, seed: int, few: slice) -> None:
    """Sow each bug, and note whether its part of the campaign noticed."""
    for bug in BUGS[few]:
        tried = Report()
        with ExitStack() as stack:
            for name, instead in bug.places.items():
                stack.enter_context(patch(name, instead))
            try:
                bug.part(tried, random.Random(seed), made)
            except Exception as error:
                tried.wrong(repr(error)[:200])
        report.seeded(bug.name, caught=bool(tried.violations))
