"""Ends and holes: files cut at every byte of their last records, sectors blank or zero, sectors swapped, doubled, stale.

What an unfinished write can have left is cut, as lines.py of the store says; the store then holds what it held after
an earlier change, and if whole records were cut with it there is a copy of them. Everything else is refused. The
rule is written down here a second time, from the words and not from the code (``_may_be_torn``).
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from tests.torture.report import Report

from .outcome import Outcome, collect_now_and_then, collecting_rarely, outcome
from .specimen import JOURNAL, NAME, Specimen

SECTOR = 512


def cuts(report: Report, made: Specimen, every: int = 1, *, thorough: bool = True) -> None:
    """The journal cut at each byte of its last three changes, of which one is a batch; ending there, or blank on."""
    data = made.journal
    with collecting_rarely():
        for at in range(made.ends[-4], made.ends[-1] + 1, every):
            tails = (b"", b"\n" * (len(data) - at), bytes(len(data) - at))
            for tail in tails if thorough else (tails[at % 3],):
                report.cases += 1
                came = outcome(made.but(JOURNAL, data[:at] + tail))
                what = f"journal cut at {at} with {tail[:1]!r} behind"
                _must_be(report, made, came, {made.whole_before(at)}, what)
            collect_now_and_then(at)


def snapshot_cuts(report: Report, made: Specimen, every: int = 1) -> None:
    """The snapshot cut at each byte of its last three jobs, or blank from there: refused, for it was synced whole."""
    data = made.snapshot
    start = len(data)
    for _ in range(3):
        start = data.rindex(b'{"id":', 0, start)
    for at in range(start, len(data), every):
        for tail in (b"", b"\n" * (len(data) - at), bytes(len(data) - at)):
            if data[:at] + tail == data:
                continue
            report.cases += 1
            came = outcome(made.but(NAME, data[:at] + tail))
            _must_refuse(report, came, f"snapshot cut at {at} with {tail[:1]!r} behind")


def holes(report: Report, made: Specimen, every: int = 1) -> None:
    """512 blank or zero bytes at each sector, at each record, and at odd places."""
    places = {*range(0, made.ends[-1], SECTOR), *made.ends, *_lines(made.journal, made.ends[-1])}
    places |= {at + delta for at in list(places) for delta in (-1, 1, 7, 100)}
    chosen = sorted(at for at in places if 0 <= at < made.ends[-1])[::every]
    for number, at in enumerate(chosen):
        for filler in (b"\n", b"\0"):
            for end in {at + SECTOR, -(-(at + 1) // SECTOR) * SECTOR}:
                _hole(report, made, at, min(end, len(made.journal)), filler)
        collect_now_and_then(number)
    _snapshot_holes(report, made, every)


def _hole(report: Report, made: Specimen, at: int, end: int, filler: bytes) -> None:
    report.cases += 1
    data = made.journal
    image = data[:at] + filler * (end - at) + data[end:]
    came = outcome(made.but(JOURNAL, image), keep_files=True)
    what = f"journal: a hole of {filler!r} from {at} to {end}"
    allowed = set(range(made.whole_before(at) + 1)) if _may_be_torn(image, at, made) else set()
    if image == data:
        allowed = {len(made.ends) - 1}
    _must_be(report, made, came, allowed, what, may_refuse=True)
    if came.content is not None and end < made.ends[-1]:
        _must_be_kept(report, came, data[end : made.ends[-1]], what)


def _may_be_torn(image: bytes, at: int, made: Specimen) -> bool:
    """Whether such a hole may be sectors that were never written: it begins where a line or a sector does.

    A line feed that is missing from the end of a sector belongs to the hole. And nothing may be left of the sector in
    which the hole begins; or nothing at all is left behind it.
    """
    blank = image.replace(b"\0", b"\n")
    if not blank[at:].strip(b"\n"):
        return True
    rest_of_sector = blank[at : -(-(at + 1) // SECTOR) * SECTOR]
    first_of_line = (
        at == 0 or at in _lines(made.journal, made.ends[-1]) or at + 1 in _lines(made.journal, made.ends[-1])
    )
    return (first_of_line or at % SECTOR == 0) and not rest_of_sector.strip(b"\n")


def _lines(data: bytes, end: int) -> set[int]:
    starts = {0}
    at = 0
    while (at := data.find(b"\n", at, end) + 1) > 0:
        starts.add(at)
    return starts


def _snapshot_holes(report: Report, made: Specimen, every: int) -> None:
    data = made.snapshot
    for at in range(0, len(data), SECTOR * every):
        for filler in (b"\n", b"\0"):
            report.cases += 1
            end = min(at + SECTOR, len(data))
            came = outcome(made.but(NAME, data[:at] + filler * (end - at) + data[end:]))
            _must_refuse(report, came, f"snapshot: a hole of {filler!r} at {at}")


def moved_blocks(report: Report, made: Specimen, choose: random.Random, count: int) -> None:
    """Sectors and lines swapped, doubled, left out, or as they were in the journal of the epoch before."""
    with collecting_rarely():
        for number in range(count):
            name = NAME if choose.random() < 0.3 else JOURNAL
            what, image = _moved(made, name, choose)
            if image == made.files[name]:
                continue
            report.cases += 1
            came = outcome(made.but(name, image), keep_files=True)
            _judge_moved(report, made, came, name, image, f"{name}: {what}")
            collect_now_and_then(number)


def _judge_moved(report: Report, made: Specimen, came: Outcome, name: str, image: bytes, what: str) -> None:
    """Refused; or the same; or a hole of unwritten sectors was made by it, before which all is whole."""
    if name == NAME:
        _must_refuse(report, came, what)
        return
    first = next(n for n, (a, b) in enumerate(zip(image, made.journal, strict=False)) if a != b)
    allowed = {len(made.ends) - 1} if first >= made.ends[-1] else set()
    if first < made.ends[-1] and image[first] in b"\n\0" and _may_be_torn(image, first, made):
        allowed = {made.whole_before(first)}
    _must_be(report, made, came, allowed, what, may_refuse=True)


def _moved(made: Specimen, name: str, choose: random.Random) -> tuple[str, bytes]:
    data = made.files[name]
    image = bytearray(data)
    sectors = len(data) // SECTOR
    a, b = (SECTOR * n for n in choose.sample(range(sectors), 2))
    kind = choose.choice(["swapped", "doubled", "stale", "line left out", "line doubled", "lines swapped"])
    match kind:
        case "swapped":
            image[a : a + SECTOR], image[b : b + SECTOR] = data[b : b + SECTOR], data[a : a + SECTOR]
        case "doubled":
            image[b : b + SECTOR] = data[a : a + SECTOR]
        case "stale":
            old = made.older_journal[a : a + SECTOR]
            image[a : a + len(old)] = old
        case _:
            return _moved_lines(data, kind, choose)
    return f"sectors {kind}, {a} and {b}", bytes(image)


def _moved_lines(data: bytes, kind: str, choose: random.Random) -> tuple[str, bytes]:
    """Whole records: each of them sound by its checksum, so only their numbers can tell."""
    lines = [line for line in data.split(b"\n") if line.strip(b"\0")]
    n = choose.randrange(1, len(lines) - 1)
    match kind:
        case "line left out":
            lines[n : n + 1] = []
        case "line doubled":
            lines[n:n] = [lines[n]]
        case _:
            lines[n], lines[n + 1] = lines[n + 1], lines[n]
    body = b"\n".join([*lines, b""])
    return f"{kind}, {n}", body + b"\n" * max(0, len(data) - len(body))


# ---- verdicts --------------------------------------------------------------------------------------------


def _must_refuse(report: Report, came: Outcome, what: str) -> None:
    report.demand(not came.fault, f"{what}: {came.fault}")
    report.demand(came.content is None, f"{what}: not refused")


def _must_be(
    report: Report, made: Specimen, came: Outcome, allowed: set[int], what: str, *, may_refuse: bool = False
) -> None:
    """The store opened with what it held after one of the changes allowed."""
    report.demand(not came.fault, f"{what}: {came.fault}")
    if came.content is None:
        report.demand(came.fault or may_refuse, f"{what}: refused: {came.refusal}")
    elif not any(came.content == made.contents[n] for n in allowed):
        found = [n for n, content in enumerate(made.contents) if content == came.content]
        report.wrong(f"{what}: holds what it held after changes {found}, allowed: {sorted(allowed)}")


def _must_be_kept(report: Report, came: Outcome, cut: bytes, what: str) -> None:
    """Of whole records behind a hole there must be a copy."""
    whole = list(_whole_lines(cut))
    if not whole:
        return
    copies = b"\n".join(data for name, data in came.files.items() if ".dropped." in name)
    here = came.files[JOURNAL]
    for line in whole:
        report.demand(line in copies or line in here, f"{what}: a whole record was cut, and there is no copy of it")


def _whole_lines(cut: bytes) -> Iterator[bytes]:
    yield from (line for line in cut.split(b"\n")[1:] if line.strip(b"\0"))
