"""Fields are mangled: a byte of a name, a digit, a value in the place of another; what repair writes is sound all the same.

A job may lose the name of a field and stay readable: it has failed, and does not say when. Rubbish over whole lines, as
in the other parts, hardly ever does that.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from typing import Final

from hourwheel.errors import HourwheelError, StoreFormatError
from hourwheel.store.file.repair import repair

from tests.kit.memory_system import DIRECTORY, MemorySystem
from tests.torture.report import Report

from .specimen import JOURNAL, NAME, PLACE, Specimen, make_specimen

_SIGNS: Final = b'0123456789"{}[],: abcdefnrstuw-\n\0\x80'
_SMALL: Final = 12_000
_AGAIN: Final = 500


def mangled(report: Report, seed: int, cases: int) -> None:
    """Mangle small stores so many times, one in ``_AGAIN`` of a kind."""
    choose = random.Random(seed)
    for case in range(cases):
        if case % _AGAIN == 0:
            made = make_specimen(choose.randrange(1 << 30), _SMALL)
        report.cases += 1
        files = dict(made.files)
        for name in choose.choice(((NAME,), (NAME,), (NAME,), (JOURNAL,), (NAME, JOURNAL))):
            files[name] = _mangle(files[name], choose)
        fault = fault_of(files)
        report.demand(not fault, f"seed {seed}, case {case}: {fault}")


def is_noticed(made: Specimen, choose: random.Random) -> bool:
    """Whether a repair of some mangled stores goes wrong."""
    small = make_specimen(choose.randrange(1 << 30), _SMALL)
    return any(fault_of(small.but(NAME, _mangle(small.snapshot, choose))) for _ in range(4_000))


def fault_of(files: dict[str, bytes]) -> str:
    """What is wrong with the repair of a store with these files; "" for nothing."""
    disk = MemorySystem(files)
    try:
        found = repair(PLACE.path, f"{DIRECTORY}/saved.json", system=disk)
    except StoreFormatError as error:
        return "" if "newer" in str(error) else f"refused as {error}"  # the version itself was hit
    except HourwheelError as error:
        return f"refused as {error!r}"
    except Exception as error:
        return f"an error that is not ours: {error!r}"
    return f"what repair wrote is not sound: {found.violations[:2]}" if found.violations else ""


def _mangle(data: bytes, choose: random.Random) -> bytes:
    written = bytearray(data.rstrip(b"\n"))
    behind = data[len(written) :]
    for _ in range(choose.choice((1, 1, 1, 2, 3))):
        choose.choice(_WAYS)(written, choose)
    return bytes(written) + behind


def _sign(text: bytearray, choose: random.Random) -> None:
    text[choose.randrange(len(text))] = choose.choice(_SIGNS)


def _name(text: bytearray, choose: random.Random) -> None:
    start, end = _one_of(rb'"[a-z_]+":', text, choose)
    text[choose.randrange(start + 1, end - 2)] = choose.choice(_SIGNS)


def _digit(text: bytearray, choose: random.Random) -> None:
    text[choose.randrange(*_one_of(rb"\d+", text, choose))] = choose.choice(b"0123456789")


def _value(text: bytearray, choose: random.Random) -> None:
    start, end = _one_of(rb':("[a-z]+"|\d+)', text, choose)
    other = slice(*_one_of(rb':("[a-z]+"|\d+)', text, choose))
    text[start:end] = bytes(text[other])


def _gap(text: bytearray, choose: random.Random) -> None:
    at = choose.randrange(len(text))
    del text[at : at + choose.randrange(1, 60)]


def _one_of(pattern: bytes, text: bytearray, choose: random.Random) -> tuple[int, int]:
    return choose.choice([found.span() for found in re.finditer(pattern, bytes(text))])


_WAYS: Final[tuple[Callable[[bytearray, random.Random], None], ...]] = (_sign, _name, _digit, _value, _gap)
