"""Files by an enemy: records and snapshots mutated, their checksums made right again, so that what is behind is reached.

Whoever can write the files can say anything; Hourwheel owes him no service, but whoever runs it an error of Hourwheel's own:
never a RecursionError out of a decoder, never a traceback out of ``hourwheel jobs``.
"""

from __future__ import annotations

import contextlib
import io
import os
import random
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from zlib import crc32

from hourwheel.cli import main
from hourwheel.contract import Filter
from hourwheel.errors import HourwheelError
from hourwheel.job import Succeeded
from hourwheel.store import JsonStore, codec
from hourwheel.store.codec import decode_job, encode_job
from hourwheel.store.file.format.lines import PREFIX, classify, split
from hourwheel.store.state.records import decode_record
from hourwheel.turn import effects

from tests.kit.jobs import NOW, StoppedClock
from tests.kit.memory_system import MemorySystem
from tests.torture.report import Report
from tests.torture.rot.outcome import collect_now_and_then, collecting_rarely
from tests.torture.rot.specimen import INDEX, JOURNAL, NAME, PLACE, Specimen

from .calls import mutate_text

_HEADER: Final = re.compile(rb'"length":\s*\d+,"crc":"\w*",\n')
_LATER: Final = NOW + 10 * 86_400_000
_COMMANDS: Final = (["check"], ["jobs"], ["jobs", "--json"], ["stats"], ["ring"], ["show"], ["repair"])
_BUG: Final = 70


def mutated_line(choose: random.Random, text: str) -> bytes:
    """A line of a journal with another text, in its frame."""
    body = b"%b%06x %b" % (choose.choice((b" ", b" ", b" ", b"+")), len(text), text.encode("utf-8", "surrogatepass"))
    return b"%08x%b" % (crc32(body), body)


def resealed(snapshot: bytes) -> bytes:
    """A snapshot with its length and checksum made right."""
    line, _, rest = snapshot.partition(b"\n")
    found = _HEADER.search(line + b"\n")
    if found is None:
        return snapshot
    head = line[: found.start()]
    size = len(head) + len(b'"length":%15d,"crc":"00000000",\n' % 0) + len(rest)
    zeroed = head + b'"length":%15d,"crc":"00000000",\n' % size
    return zeroed.replace(b'"crc":"00000000"', b'"crc":"%08x"' % crc32(zeroed, crc32(rest))) + rest


def records(report: Report, choose: random.Random, made: Specimen, count: int) -> None:
    """The decoders of records and jobs: a value, or a ValueError, whose kin the store turns into StoreCorrupt."""
    lines = [line[PREFIX:].decode() for line in made.journal.split(b"\n") if line][1:]
    jobs = [raw.rstrip(b",").decode() for raw in made.snapshot.split(b"\n") if raw.startswith(b'{"id":')]
    for number in range(count):
        report.cases += 1
        text = mutate_text(choose, choose.choice(lines if number % 2 else jobs))
        raw = text.encode("utf-8", "surrogatepass")
        try:
            if number % 2:
                decode_record(_object(codec.loads(raw)))
            else:
                job = decode_job(raw)
                encode_job(job)
                hash((job.args, job.result) is None)
        except (ValueError, HourwheelError):
            continue
        except BaseException as error:
            report.wrong(f"record {number}: {type(error).__name__}: {error!s:.100} for {text!r:.300}")


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("a record must be an object")
    return value


def raw_lines(report: Report, choose: random.Random, made: Specimen, count: int) -> None:
    """The reader of lines, given any bytes: it says what is there, and never fails."""
    data = made.journal
    for number in range(count):
        report.cases += 1
        at = choose.randrange(made.ends[-1])
        piece = data[at : at + choose.randrange(1, 1_500)]
        rubbish = choose.randbytes(choose.randrange(20)) if number % 2 else b"\n\0"[: choose.randrange(3)]
        piece = piece[: len(piece) // 2] + rubbish + piece[len(piece) // 2 :]
        try:
            _, end = split(piece, at)
            classify(piece[end - at :], end)
        except Exception as error:
            report.wrong(f"lines {number}: {error!r:.200} for {piece!r:.300}")


def stores(report: Report, choose: random.Random, made: Specimen, count: int) -> None:
    """A store with a mutated line is opened and used in every way: errors of ours, or it works."""
    with collecting_rarely():
        for number in range(count):
            report.cases += 1
            what, files = mutated_files(choose, made)
            try:
                _use(files)
            except HourwheelError:
                pass
            except Exception as error:
                report.wrong(f"store {number}: {type(error).__name__}: {error!s:.120} with {what}")
            collect_now_and_then(number)


def mutated_files(choose: random.Random, made: Specimen) -> tuple[str, Mapping[str, bytes]]:
    """The files, with one line of the snapshot or journal mutated behind a right checksum; and that line."""
    name = choose.choice((NAME, JOURNAL))
    lines = made.files[name].rstrip(b"\n").split(b"\n")
    n = choose.randrange(len(lines)) if choose.random() < 0.9 else 0
    if name == JOURNAL:
        text = mutate_text(choose, lines[n][PREFIX:].decode())
        lines[n] = mutated_line(choose, text)
        image = b"\n".join([*lines, b"", b""])
    else:
        text = mutate_text(choose, lines[n].decode())
        lines[n] = text.encode("utf-8", "surrogatepass")
        image = resealed(b"\n".join([*lines, b""]))
    files = {**made.files, name: image}
    files.pop(INDEX)
    return f"{name} line {n}: {text!r:.400}", files


def _use(files: Mapping[str, bytes]) -> None:
    store = JsonStore(PLACE.path, durability="os", clock=StoppedClock(), system=MemorySystem(files))  # type: ignore[arg-type]
    try:
        store.check()
        for job in store.scan(Filter(), limit=1 << 20):
            with contextlib.suppress(HourwheelError):
                hash((job.args, job.kwargs, job.result) is None)
        store.stats(NOW)
        store.density(NOW, 3600)
        store.next_due()
        store.get(["job-0001"])[0]
        claims = store.claim("enemy", _LATER, 50)
        store.settle(effects([(claim, Succeeded()) for claim in claims]), _LATER)
        store.compact()
        store.check()
    finally:
        store.close()


def programs(report: Report, choose: random.Random, made: Specimen, count: int) -> None:
    """``hourwheel check``, ``jobs``, ``show``, ``stats``, ``ring`` and ``repair`` on such a store: words, no traceback."""
    with tempfile.TemporaryDirectory() as home:
        path = Path(home) / NAME
        for number in range(count):
            report.cases += 1
            what, files = mutated_files(choose, made)
            for entry in os.scandir(home):
                os.unlink(entry.path)
            for name, data in files.items():
                (Path(home) / name).write_bytes(data)
            words = _COMMANDS[number % len(_COMMANDS)]
            arguments = [*words, "the-last", "--store", str(path)] if words == ["show"] else [*words, str(path)]
            status, err = _program(arguments)
            told = status not in (0, 1, 2) or "Traceback" in err
            report.demand(not told, f"hourwheel {' '.join(words)} {number}: status {status}: {err:.200} with {what}")


def _program(arguments: list[str]) -> tuple[int, str]:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status = main(arguments)
        except Exception as error:
            return _BUG, f"Traceback: {error!r}"
    return status, err.getvalue()
