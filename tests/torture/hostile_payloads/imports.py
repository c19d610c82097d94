"""Stored names that look like modules: looked up in the registry, and never imported, whatever they are called."""

from __future__ import annotations

import logging
import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from hourwheel import Scheduler
from hourwheel.errors import NotRegistered
from hourwheel.job import Job, State
from hourwheel.store import MemoryStore
from hourwheel.store.codec import decode_job, encode_job
from hourwheel.testing import FakeClock

from tests.kit.jobs import NOW
from tests.torture.report import Report

from .values import text

_NAMES: Final = (
    *("os.system", "os:system", "subprocess.Popen", "__import__", "builtins.eval", "builtins.exec", "pickle.loads"),
    *("antigravity", "this", "turtle.done", "lib2to3.main", "idlelib.run", "test.support", "hourwheel.cli.__main__"),
    *("hourwheel.cli.main", "../../etc/passwd", "importlib.import_module", "xmlrpc.server", "ctypes.CDLL", "wsgiref"),
    *("tests.torture.hostile_payloads.bait", "tests.torture.hostile_payloads.bait.spring", "distutils.spawn.spawn"),
)
_SPRUNG: Final[list[str]] = []
_WATCHING: Final[list[bool]] = [False]


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if _WATCHING[0] and event in ("import", "exec", "compile", "os.system", "subprocess.Popen", "pickle.find_class"):
        _SPRUNG.append(f"{event} {arguments!r:.120}")


@contextmanager
def watched() -> Iterator[list[str]]:
    """What is imported, compiled or executed in the block; a hook cannot be taken out, so it is switched."""
    if not _HOOKED:
        sys.addaudithook(_audit)
        _HOOKED.append(True)
    _SPRUNG.clear()
    _WATCHING[0] = True
    try:
        yield _SPRUNG
    finally:
        _WATCHING[0] = False


_HOOKED: Final[list[bool]] = []


def names(report: Report, choose: random.Random, count: int) -> None:
    """Jobs with such names are stored, read, shown, claimed and run: each stays scheduled, as of an unknown task."""
    clock = FakeClock(NOW)
    app = Scheduler(MemoryStore(), clock=clock)
    ran: list[str] = []
    app.task(name="honest.task")(ran.append)
    app.run_due()  # whatever is imported late by honest work is imported now
    known = set(sys.modules)
    said = logging.getLogger("hourwheel")
    level = said.level
    said.setLevel(logging.CRITICAL)  # it says of each name that nobody knows it
    try:
        with watched() as sprung:
            for number in range(count):
                report.cases += 1
                name = choose.choice(_NAMES) if choose.random() < 0.7 else text(choose) or "x"
                _one(report, app, name, f"name {number}: {name!r}")
                for event in sprung:
                    report.wrong(f"name {number}: {name!r}: {event}")
                sprung.clear()
        new = {module for module in set(sys.modules) - known if not module.startswith("hourwheel.")}
        report.demand(not new, f"modules were imported: {sorted(new)[:5]}")
        report.demand(not ran, "the registered task has run for another name")
    finally:
        said.setLevel(level)
        app.close()


def _one(report: Report, app: Scheduler, name: str, what: str) -> None:
    try:
        app.registry.get(name)
        report.wrong(f"{what}: there is a task of that name")
    except NotRegistered:
        pass
    report.demand(name not in app.registry, f"{what}: there is a task of that name")
    job = Job(id="a", task=name, due_ms=NOW, payload='[["id"],{}]')
    report.demand(decode_job(encode_job(job).encode()) == job, f"{what}: reads back otherwise")
    app.store.add([job], NOW)
    app.run_due()
    found = app.store.get(["a"])[0]
    known = f"task:{name}" in app.life.runner.refused.names()  # from then on it does without
    shown = known or (found is not None and "unregistered" in (found.reason or ""))
    stays = found is not None and found.state is State.SCHEDULED and shown
    report.demand(stays, f"{what}: it is not shown as unregistered: {found!r:.200}")
    app.store._state = MemoryStore()._state  # type: ignore[attr-defined]
