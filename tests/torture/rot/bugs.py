"""Mistakes put into the store on purpose, one at a time; the campaign must notice each of them."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Final, NamedTuple
from unittest.mock import patch

import hourwheel.store.file.epoch
import hourwheel.store.file.format.index
import hourwheel.store.file.format.journal
import hourwheel.store.file.format.lines
import hourwheel.store.file.format.snapshot
import hourwheel.store.file.repair.document
import hourwheel.store.file.repair.edit
import hourwheel.store.file.repair.restore
import hourwheel.store.file.repair.salvage
import simplejson
from hourwheel.store.codec import decode_job
from hourwheel.store.file.epoch import Epoch
from hourwheel.store.file.format.lines import PREFIX, Batch
from hourwheel.store.file.system.system import opened, pread_all

from tests.torture.report import Report

from . import edits, flips, mangling, salvaging, tails
from .specimen import INDEX, JOURNAL, NAME, Specimen


class Bug(NamedTuple):
    """A mistake: what stands in for what, and the part of the campaign that is to notice it."""

    name: str
    places: dict[str, Any]
    """What is replaced, by its dotted name."""
    noticed: Callable[[Specimen, random.Random], bool]

    @contextmanager
    def sown(self) -> Iterator[None]:
        """The store has the bug for as long as the block runs."""
        with ExitStack() as stack:
            for name, instead in self.places.items():
                stack.enter_context(patch(name, instead))
            yield


# ---- the parts of the campaign, each as a question -------------------------------------------------------


def _flips_of(name: str) -> Callable[[Specimen, random.Random], bool]:
    def noticed(made: Specimen, choose: random.Random) -> bool:
        size = min(len(made.files[name]), made.ends[-1] if name == JOURNAL else 1 << 30)
        return flips.is_noticed(made, name, [choose.randrange(size * 8) for _ in range(60)])

    return noticed


def _flips_of_index(made: Specimen, choose: random.Random) -> bool:
    """Bits where something stands: most slots of the specimen are empty, and what is told of those is never used."""
    data = made.files[INDEX]
    told = [at for at, byte in enumerate(data) if byte not in (0, 255)]
    return flips.is_noticed(made, INDEX, [choose.choice(told) * 8 + choose.randrange(8) for _ in range(100)])


def _by(part: Callable[[Report, Specimen, random.Random], None]) -> Callable[[Specimen, random.Random], bool]:
    def noticed(made: Specimen, choose: random.Random) -> bool:
        report = Report()
        part(report, made, choose)
        return bool(report.violations)

    return noticed


def _cuts(report: Report, made: Specimen, _: random.Random) -> None:
    tails.cuts(report, made, 61)


def _holes(report: Report, made: Specimen, _: random.Random) -> None:
    tails.holes(report, made, 9)


def _moved(report: Report, made: Specimen, choose: random.Random) -> None:
    tails.moved_blocks(report, made, choose, 60)


def _edits(_: Specimen, __: random.Random) -> bool:
    return edits.is_noticed(3)


# ---- the mistakes ----------------------------------------------------------------------------------------


def _sound_by_length(line: bytes) -> bool:
    return len(line) > PREFIX


def _any_number(epoch: Epoch, text: bytes, seq: int) -> None:
    _RIGHT_APPLY(epoch, re.sub(rb'^\{"seq":\d+', b'{"seq":%d' % seq, text), seq)


def _always_torn(data: bytes, offset: int) -> tuple[str, str]:
    verdict, why = _RIGHT_CLASSIFY(data, offset)
    return ("torn", why) if verdict == "damaged" else (verdict, why)


def _lines_alone(data: bytes, offset: int) -> tuple[list[Batch], int]:
    """Each record as a change of its own, also if it belongs to one change with the next."""
    batches, at = [], 0
    while (stop := data.find(b"\n", at)) > at and hourwheel.store.file.format.lines.is_sound(data[at:stop]):
        batches.append(Batch([data[at + PREFIX : stop]], offset + stop + 1))
        at = stop + 1
    return batches, offset + at


def _without_neighbour(data: bytes, path: str) -> Any:
    found = _RIGHT_READ_JOURNAL(data, path)
    for damage in [damage for damage in found.damages if damage.kind == "damaged"]:
        found.records = [record for record in found.records if record.offset != damage.offset + damage.length + 1]
    return found


def _in_place(path: str, found: Any, system: Any) -> None:
    _RIGHT_WRITE(path, found, system)
    original = path.replace("saved", "tasks")
    fd = system.open(original, 0)
    system.pwrite(fd, b"\n", system.fstat(fd).st_size)
    system.close(fd)


def _unchecked_job(fields: Any) -> Any:
    return decode_job(simplejson.dumps(fields).encode())


def _told_as_sound(path: str, system: Any, snapshot_crc: str) -> Any:
    """The index as it is read when nobody compares its checksum."""
    with opened(system, path) as fd:
        data = pread_all(system, fd)
    head, _, body = data.partition(b"\n")
    try:
        return hourwheel.store.file.format.index.Index._of(simplejson.loads(head), memoryview(body))
    except ValueError:
        return None


_RIGHT_APPLY: Final = Epoch._apply_text
_RIGHT_CLASSIFY: Final = hourwheel.store.file.format.lines.classify
_RIGHT_READ_JOURNAL: Final = hourwheel.store.file.repair.salvage.read_journal
_RIGHT_WRITE: Final = hourwheel.store.file.repair.restore._write

BUGS: Final = (
    Bug(
        "a job of which a field is gone is not completed",
        {"hourwheel.store.file.repair.salvage.complete": lambda state: []},
        mangling.is_noticed,
    ),
    Bug(
        "the checksum of a record is not compared",
        {
            "hourwheel.store.file.format.lines.is_sound": _sound_by_length,
            "hourwheel.store.file.format.journal.is_sound": _sound_by_length,
        },
        _flips_of(JOURNAL),
    ),
    Bug(
        "the checksum of the snapshot is not compared",
        {"hourwheel.store.file.format.snapshot.verify": lambda *_: None},
        _flips_of(NAME),
    ),
    Bug(
        "the checksum of the index is not compared",
        {"hourwheel.store.file.format.index.Index.load": _told_as_sound},
        _flips_of_index,
    ),
    Bug("a gap in the numbers is accepted", {"hourwheel.store.file.epoch.Epoch._apply_text": _any_number}, _by(_moved)),
    Bug(
        "a tail is cut although records follow",
        {"hourwheel.store.file.epoch.classify": _always_torn},
        salvaging.is_noticed,
    ),
    Bug("half of a change is kept", {"hourwheel.store.file.format.journal.split": _lines_alone}, _by(_cuts)),
    Bug("what is cut is not kept", {"hourwheel.store.file.epoch.Epoch._keep": lambda *_: None}, _by(_holes)),
    Bug(
        "salvage drops the neighbour of a damaged record",
        {"hourwheel.store.file.repair.salvage.read_journal": _without_neighbour},
        salvaging.is_noticed,
    ),
    Bug(
        "salvage writes into the original",
        {"hourwheel.store.file.repair.restore._write": _in_place},
        salvaging.is_noticed,
    ),
    Bug("an edit is taken without validation", {"hourwheel.store.file.repair.document.job_of": _unchecked_job}, _edits),
    Bug(
        "an edit of the epoch is not compared with the journal",
        {"hourwheel.store.file.repair.edit._refuse_other_epoch": lambda *_: None},
        lambda made, choose: edits.is_noticed(1),  # noqa: ARG005 - a few cases of many
    ),
    Bug(
        "of two equal names the last is taken",
        {"hourwheel.store.file.repair.document.scan_json": simplejson.JSONDecoder(allow_nan=False).scan_once},
        _edits,
    ),
)


def try_all(report: Report, made: Specimen, seed: int, few: slice) -> None:
    """Sow each bug, and note whether its part of the campaign noticed."""
    for bug in BUGS[few]:
        with bug.sown():
            try:
                caught = bug.noticed(made, random.Random(seed))
            except Exception:
                caught = True  # the campaign would end with it, and say so
        report.seeded(bug.name, caught=caught)
