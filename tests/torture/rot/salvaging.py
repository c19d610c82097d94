"""Record k of n is destroyed, for all k: the store refuses, and salvage brings back all that the record did not hold.

Whatever salvage does, it does beside: the files that it was given stay byte for byte as they were, and the new store
opens strictly, with no invariant violated.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

from hourwheel.errors import HourwheelError
from hourwheel.store.codec import loads
from hourwheel.store.file.creation import open_or_create
from hourwheel.store.file.repair import Repaired, repair
from hourwheel.store.file.system.place import Place
from hourwheel.store.state.invariants import violations
from hourwheel.store.state.views import jobs

from tests.kit.memory_system import DIRECTORY, MemorySystem
from tests.torture.report import Report

from .outcome import outcome
from .specimen import JOURNAL, NAME, PLACE, Content, Specimen

_OUTPUT: Final = Place(f"{DIRECTORY}/saved.json")
_PREFIX: Final = 16


def every_record(report: Report, made: Specimen, choose: random.Random, every: int = 1) -> None:
    """Destroy each record of the journal in turn: bytes turned to rubbish, blank, or zero."""
    starts = _line_starts(made.journal, made.ends[-1])
    for start, end in list(zip(starts, [*starts[1:], made.ends[-1]], strict=True))[1::every]:
        line = made.journal[start : end - 1]
        for kind, rubbish in _rubbish(line, choose):
            image = made.journal[:start] + rubbish + made.journal[end - 1 :]
            what = f"the record at {start} of the journal {kind}"
            _try(report, made, made.but(JOURNAL, image), _ids_in(loads(line[_PREFIX:])), what)


def every_job(report: Report, made: Specimen, choose: random.Random, every: int = 1) -> None:
    """Destroy each job of the snapshot in turn."""
    at = 0
    lines = made.snapshot.split(b"\n")
    for number, line in enumerate(lines):
        if line.startswith(b'{"id":') and number % every == 0:
            raw = line.rstrip(b",")
            for kind, rubbish in _rubbish(raw, choose):
                image = made.snapshot[:at] + rubbish + made.snapshot[at + len(raw) :]
                what = f"the job at {at} of the snapshot {kind}"
                _try(report, made, made.but(NAME, image), {loads(raw)["id"]}, what)
        at += len(line) + 1


def _rubbish(line: bytes, choose: random.Random) -> list[tuple[str, bytes]]:
    """What becomes of a line; the checksum cannot tell what it was, as it can with a single bit."""
    at, size = choose.randrange(len(line) - 4), choose.randrange(2, 40)
    spoilt = line[:at] + b"\x07\xff\xfe" * size
    return [
        ("spoilt in part", (spoilt + line[at + 3 * size :])[: len(line)].ljust(len(line), b"\x07")),
        ("random", choose.randbytes(len(line)).replace(b"\n", b"\x01")),
    ]


def _try(report: Report, made: Specimen, files: Mapping[str, bytes], touched: set[str], what: str) -> None:
    report.cases += 1
    came = outcome(files)
    report.demand(not came.fault, f"{what}: {came.fault}")
    report.demand(came.content is None, f"{what}: not refused")
    disk = MemorySystem(files)
    try:
        done = repair(PLACE.path, _OUTPUT.path, system=disk)
        saved = _read_back(report, disk, what)
    except HourwheelError as error:
        report.wrong(f"{what}: salvage failed: {error!r}")
        return
    report.demand({name: disk.files()[name] for name in files} == files, f"{what}: salvage changed the original")
    _judge(report, made.content, saved, touched, what)
    report.demand(done.violations == [], f"{what}: {done.violations[:2]}")
    report.demand(_is_told(done, made.content, saved), f"{what}: a loss was not told")


def _read_back(report: Report, disk: MemorySystem, what: str) -> Content:
    epoch = open_or_create(_OUTPUT, disk)
    try:
        violated = violations(epoch.state)
        report.demand(violated == [], f"{what}: the new store is not sound: {violated[:2]}")
        return {job.id: job for job in jobs(epoch.state)}
    finally:
        epoch.close()


def _judge(report: Report, held: Content, saved: Content, touched: set[str], what: str) -> None:
    """Jobs of which the record says nothing are as they were; at most one job is lost, none is invented."""
    for id, job in held.items():
        if id not in touched:
            report.demand(saved.get(id) == job, f"{what}: job {id} was {job!r:.200}, is {saved.get(id)!r:.200}")
    lost = held.keys() - saved.keys()
    report.demand(len(lost) <= 1 and lost <= touched, f"{what}: lost {sorted(lost)[:5]}")
    report.demand(saved.keys() <= held.keys(), f"{what}: invented {sorted(saved.keys() - held.keys())[:5]}")


def _is_told(done: Repaired, held: Content, saved: Content) -> bool:
    return done.salvage.harmed and (done.salvage.lost or held.keys() <= saved.keys())


def _ids_in(fields: Mapping[str, Any]) -> set[str]:
    """The jobs that a record speaks of."""
    match fields:
        case {"job": {"id": id}} | {"op": "move", "id": id}:
            return {id}
        case {"items": items}:
            return {item[0] for item in items}
        case {"ids": ids}:
            return set(ids)
    return set()


def _line_starts(data: bytes, end: int) -> list[int]:
    starts, at = [0], 0
    while 0 < (at := data.find(b"\n", at, end) + 1) < end:
        starts.append(at)
    return starts


def is_noticed(made: Specimen, choose: random.Random) -> bool:
    """Whether the campaign finds anything wrong with a tenth of the records destroyed."""
    report = Report()
    with suppress(OSError):
        every_record(report, made, choose, 10)
        every_job(report, made, choose, 40)
    return bool(report.violations)
