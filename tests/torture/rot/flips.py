"""Single bits: each one of snapshot and journal is flipped, and the store opened. It refuses, or nothing has changed.

A flip may be harmless where nothing is written yet (the blank room of a journal, the lock, a life sign) and in the
index, which is derived and made anew. Everywhere else a checksum must notice it, and the error must say so.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from contextlib import suppress
from typing import Final

from hourwheel.errors import StoreCorrupt, StoreFormatError
from hourwheel.store import JsonStore

from tests.kit.jobs import StoppedClock, content
from tests.kit.memory_system import MemorySystem
from tests.torture.report import Report

from .outcome import collect_now_and_then, collecting_rarely, outcome
from .specimen import INDEX, JOURNAL, LOCK, NAME, PLACE, Specimen

OWNER: Final = "tasks.json.owner.worker-0"


def flipped(data: bytes, bit: int) -> bytes:
    """The data with one bit flipped."""
    changed = bytearray(data)
    changed[bit >> 3] ^= 1 << (bit & 7)
    return bytes(changed)


def every_bit(report: Report, made: Specimen, bits: Iterable[int]) -> None:
    """Flip bits of the snapshot and the journal, numbered through both."""
    size = len(made.snapshot) * 8
    written = made.ends[-1] * 8
    refused = harmless = 0
    with collecting_rarely():
        for number, bit in enumerate(bits):
            name, at = (NAME, bit) if bit < size else (JOURNAL, bit - size)
            came = _try_flip(report, made, name, at)
            report.demand(
                not came or (name == JOURNAL and at >= written),
                f"bit {at} of {name} is part of a record or of the snapshot, but a flip of it was not refused",
            )
            refused += not came
            harmless += came
            collect_now_and_then(number)
    report.figures["bits flipped in snapshot and journal"] = (
        f"{refused + harmless:,}: {refused:,} refused, {harmless:,} in blank room and harmless"
    )


def _try_flip(report: Report, made: Specimen, name: str, bit: int) -> bool:
    """Whether the store opened."""
    report.cases += 1
    came = outcome(made.but(name, flipped(made.files[name], bit)))
    if came.fault:
        report.wrong(f"bit {bit} of {name} flipped: {came.fault}")
    if came.content is None:
        return False
    if came.content != made.content:
        report.wrong(f"bit {bit} of {name} flipped: silently different")
    return True


def index_bits(report: Report, made: Specimen, choose: random.Random, count: int) -> None:
    """Flip bits of the index: it is derived, so the store opens as if nothing had happened."""
    size = len(made.files[INDEX]) * 8
    with collecting_rarely():
        for number in range(count):
            bit = choose.randrange(min(size, 4096)) if number % 4 == 0 else choose.randrange(size)
            opened = _try_flip(report, made, INDEX, bit)
            report.demand(opened, f"bit {bit} of {INDEX} flipped: refused, although it is derived")
            collect_now_and_then(number)


def lock_and_signs(report: Report, made: Specimen, choose: random.Random, count: int) -> None:
    """Rubbish in the lock file and in the life sign of an owner: both are locked, never read."""
    for _ in range(count):
        report.cases += 1
        rubbish = {name: choose.randbytes(choose.randrange(1, 700)) for name in (LOCK, OWNER)}
        files = {**made.files, **rubbish}
        try:
            store = JsonStore(PLACE.path, durability="os", clock=StoppedClock(), system=MemorySystem(files))  # type: ignore[arg-type]
            try:
                report.demand(content(store) == made.content, f"silently different with {rubbish!r:.300}")
                report.demand(store.check() == [], f"not sound with {rubbish!r:.300}")
            finally:
                store.close()
        except Exception as error:
            report.wrong(f"{error!r} with {rubbish!r:.300}")


def bursts(report: Report, made: Specimen, choose: random.Random, count: int) -> None:
    """2 to 32 bits in a row turned at random, which CRC-32 finds all: refused, or nothing has changed."""
    with collecting_rarely():
        for number in range(count):
            report.cases += 1
            name = NAME if choose.random() < 0.5 else JOURNAL
            data = made.files[name]
            length = choose.randrange(2, 33)
            start = _place(choose, made, name, length)
            pattern = 1 | 1 << length - 1 | choose.getrandbits(length)
            changed = int.from_bytes(data, "little") ^ pattern << start
            came = outcome(made.but(name, changed.to_bytes(len(data), "little")))
            what = f"{name}: {length} bits from bit {start} on turned by {pattern:#x}"
            report.demand(not came.fault, f"{what}: {came.fault}")
            report.demand(came.content in (None, made.content), f"{what}: silently different")
            collect_now_and_then(number)


def _place(choose: random.Random, made: Specimen, name: str, length: int) -> int:
    """Anywhere; every other time near the end of the journal, where the rule of the torn tail is."""
    if name == JOURNAL and choose.random() < 0.5:
        start = made.ends[-2] * 8
        return (
            start + choose.randrange(-64, 256) if choose.random() < 0.5 else choose.randrange(start, made.ends[-1] * 8)
        )
    return choose.randrange(len(made.files[name]) * 8 - length)


def is_noticed(made: Specimen, name: str, bits: Iterable[int]) -> bool:
    """Whether flips of these bits lead to anything that the campaign would call a violation."""
    report = Report()
    with suppress(StoreCorrupt, StoreFormatError):
        for bit in bits:
            if name == INDEX:
                _try_flip(report, made, name, bit)
            else:
                every_bit(report, made, [bit if name == NAME else bit + len(made.snapshot) * 8])
            if report.violations:
                return True
    return False
