"""Edits by hand: every case of the corpus is taken exactly as it says, or refused with line and column.

Whatever is refused leaves every file as it was. ``hourwheel check --accept-edit`` is asked for a share of the cases; the
function behind it for all. Before it is accepted, the store refuses to open with any of them.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from hourwheel.cli import main
from hourwheel.errors import HourwheelError, StoreCorrupt, StoreError, StoreFormatError
from hourwheel.job import Failed, Failure, Job, Succeeded
from hourwheel.payload import encode_call
from hourwheel.store import JsonStore
from hourwheel.store.file.repair import EditRefused, accept_edit
from hourwheel.turn import effects

from tests.kit.jobs import NOW, StoppedClock, content
from tests.torture.report import Report

from .corpus import Refused, Taken, refused, taken
from .specimen import Content

_WITHOUT_PLACE: Final = frozenset({"UTF-16", "UTF-32"})
"""Nobody would call these a store, so there is no line to name."""
_SHARE_OF_PROGRAM: Final = 8


class Bench:
    """A directory with the store that is edited, put back before each case."""

    def __init__(self, home: Path) -> None:
        self.path = home / "tasks.json"
        self._home = home
        self.content = _make(self.path)
        self._files = self.files()
        self.text = self._files["tasks.json"].decode()

    def files(self) -> dict[str, bytes]:
        """Every file, by name."""
        return {entry.name: Path(entry.path).read_bytes() for entry in os.scandir(self._home)}

    def put(self, text: str | bytes) -> None:
        """The store as it was, but its snapshot edited."""
        for entry in os.scandir(self._home):
            os.unlink(entry.path)
        for name, data in self._files.items():
            (self._home / name).write_bytes(data)
        self.path.write_bytes(text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text)

    def line(self, number: int) -> str:
        """A line of the edited file."""
        return (self.path.read_bytes().decode("utf-8", "replace").split("\n") + [""] * number)[number - 1]

    def held(self) -> Content:
        """What the store holds, opened as always; check() finds nothing wrong."""
        store = JsonStore(self.path, durability="os", clock=StoppedClock())  # type: ignore[arg-type]
        try:
            assert store.check() == []
            return content(store)
        finally:
            store.close()


@contextlib.contextmanager
def bench() -> Iterator[Bench]:
    """A Bench for the length of a block."""
    with tempfile.TemporaryDirectory() as home:
        yield Bench(Path(home))


def every_edit(report: Report, at: Bench, every: int = 1) -> None:
    """All cases of the corpus."""
    good, bad = taken(at.text), refused(at.text)
    for number, case in enumerate([*good, *bad][::every]):
        report.cases += 1
        if case.text == at.text:
            report.wrong(f"edit {case.name!r} is none")
            continue
        at.put(case.text)
        _must_not_open(report, at, case.name)
        (_take if isinstance(case, Taken) else _refuse)(report, at, case)  # type: ignore[arg-type]
        if number % _SHARE_OF_PROGRAM == 0:
            _by_program(report, at, case)
    report.figures["edits by hand"] = f"{len(good)} to be taken, {len(bad)} to be refused"


def _must_not_open(report: Report, at: Bench, name: str) -> None:
    try:
        JsonStore(at.path, durability="os").close()
    except (StoreCorrupt, StoreFormatError):
        return
    except Exception as error:
        report.wrong(f"edit {name!r}: opened without being accepted, it fails with {error!r:.200}")
        return
    report.wrong(f"edit {name!r}: the store opens although nobody has accepted it")


def _take(report: Report, at: Bench, case: Taken) -> None:
    expected = dict(at.content)
    if case.payload is not None:
        expected["s4"] = expected["s4"]._replace(payload=case.payload)
    try:
        accepted = accept_edit(at.path)
        held = at.held()
    except Exception as error:
        report.wrong(f"edit {case.name!r} should be taken: {error!r:.300}")
        return
    report.demand(accepted is not None, f"edit {case.name!r} was not seen to be one")
    differing = [id for id in expected.keys() | held.keys() if expected.get(id) != held.get(id)]
    report.demand(not differing, f"edit {case.name!r} was not taken exactly: {sorted(differing)[:5]}")


def _refuse(report: Report, at: Bench, case: Refused) -> None:
    before = at.files()
    try:
        accept_edit(at.path)
    except EditRefused as error:
        report.demand(error.line >= 1 and error.column >= 1, f"edit {case.name!r}: no place: {error}")
        report.demand(re.search(case.reason, error.reason), f"edit {case.name!r}: other reason: {error.reason:.200}")
        there = case.at is None or case.at in at.line(error.line)
        report.demand(there, f"edit {case.name!r}: the place is not line {error.line}: {at.line(error.line)[:80]!r}")
        report.demand(len(str(error)) < 2000, f"edit {case.name!r}: an error of {len(str(error))} characters")
    except StoreError as error:
        fits = case.name in _WITHOUT_PLACE
        report.demand(fits, f"edit {case.name!r} is refused without line and column: {error!r:.200}")
    except Exception as error:
        report.wrong(f"edit {case.name!r}: an error that is not ours: {error!r:.200}")
    else:
        report.wrong(f"edit {case.name!r} was taken")
    report.demand(at.files() == before, f"edit {case.name!r}: refused, but files were changed")


def _by_program(report: Report, at: Bench, case: Taken | Refused) -> None:
    at.put(case.text)
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = main(["check", str(at.path), "--accept-edit"])
    wanted = (0,) if isinstance(case, Taken) else (1, 2)
    report.demand(
        status in wanted, f"hourwheel check --accept-edit, edit {case.name!r}: status {status}: {err.getvalue()}"
    )
    if isinstance(case, Refused) and case.name not in _WITHOUT_PLACE:
        told = re.search(r"tasks\.json:\d+:\d+: ", err.getvalue())
        report.demand(
            told, f"hourwheel check --accept-edit, edit {case.name!r}: no line and column: {err.getvalue():.200}"
        )


# ---- the store that is edited ----------------------------------------------------------------------------


def _make(path: Path) -> Content:
    """Snapshot: s0 finished, s1 running, s2 failed, s3 to s9 scheduled; in the journal n0 to n5, and s3 has run."""
    store = JsonStore(path, durability="os", clock=StoppedClock())  # type: ignore[arg-type]
    store.add([_job(f"s{n}", NOW + 500 * n, key=f"key{n}" if n % 3 == 0 else None) for n in range(10)], NOW)
    claims = {claim.job.id: claim for claim in store.claim("worker-a", NOW + 1000, 3)}
    failed = Failed(error=Failure("ValueError", "no", "Traceback ..."))
    store.settle(effects([(claims["s0"], Succeeded(returned='{"a":1}')), (claims["s2"], failed)]), NOW + 1001)
    store.compact()
    for n in range(6):
        store.add([_job(f"n{n}", NOW + 3_600_000 + n)], NOW, fresh=True)
    store.cancel(["n2"], NOW + 301)
    [claim] = store.claim("worker-a", NOW + 1500, 1)
    store.settle(effects([(claim, Succeeded(returned="3"))]), NOW + 1501)
    held = content(store)
    store.close()
    return held


def _job(id: str, due_ms: int, key: str | None = None) -> Job:
    payload = encode_call((1, "x"), {})
    return Job(id=id, task="app.remind", due_ms=due_ms, created_ms=NOW, key=key, payload=payload, result_ttl_ms=1 << 50)


def is_noticed(every: int = 1) -> bool:
    """Whether the corpus finds anything wrong."""
    report = Report()
    with bench() as at, contextlib.suppress(HourwheelError, AssertionError):
        every_edit(report, at, every)
    return bool(report.violations)
