"""Every system call of a store failing in turn: a typed error or success, nothing acknowledged lost, and it recovers by itself."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from typing import Any

import pytest
from noria.store import JsonStore
from noria.wheel.errors import NoriaError
from noria.wheel.job import Claim, Failed, Failure, Job, Outcome, Released, Retried, Succeeded

from tests.kit.jobs import NOW, StoppedClock, a_job, content
from tests.kit.memory_system import DIRECTORY, MemorySystem
from tests.kit.remains import what_is_left
from tests.kit.systems import CALLS

SHORT = -1
"""Not an errno: the write is cut short, and the next one fails for want of room."""
ERRORS = [errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EMFILE, errno.EINTR, SHORT]
PATH = f"{DIRECTORY}/tasks.json"


class Ordinal(MemorySystem):
    """Fails one call, by its number; and then no more."""

    def __init__(self, number: int, error: int) -> None:
        super().__init__()
        self.left = number
        self.error = error
        self.failed: tuple[str, str] | None = None
        self.calls = 0
        self._write_fails_next = False
        for name in CALLS:
            setattr(self, name, self._counted(name))

    def _counted(self, name: str) -> Callable[..., Any]:
        real = getattr(self, f"_do_{name}")

        def call(*args: Any) -> Any:
            self.calls += 1
            self.left -= 1
            if self._write_fails_next and name == "pwrite":
                self._write_fails_next = False
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            if self.left != 0 or (name == "flock" and args[1] == 8):  # giving a lock back cannot fail
                return real(*args)
            self.failed = name, args[0] if isinstance(args[0], str) else self.path_of(args[0])
            if self.error != SHORT:
                if name == "close":
                    real(*args)  # what cannot be closed in order is closed all the same
                raise OSError(self.error, os.strerror(self.error))
            if name != "pwrite":
                return real(*args)
            self._write_fails_next = True
            return real(args[0], args[1][: len(args[1]) // 2], args[2])

        return call


class Deeds:
    """Does things to a store, whether it can or not, and remembers what it was told."""

    def __init__(self, system: Ordinal) -> None:
        self.system = system
        self.store: JsonStore | None = None
        self.refusals: list[NoriaError] = []
        self.issued: dict[str, Job] = {}
        self.acknowledged: set[str] = set()
        self.settled: dict[str, Outcome] = {}
        self.claims: list[Claim] = []

    def attempt(self, what: Callable[..., Any], *args: Any, **options: Any) -> Any:
        try:
            return what(*args, **options)
        except NoriaError as refusal:
            self.refusals.append(refusal)
            return None

    def open(self) -> JsonStore | None:
        options: dict[str, Any] = {"allow_network_fs": True, "lock_timeout_s": 0.05, "clock": StoppedClock()}
        return self.attempt(JsonStore, PATH, system=self.system, **options)

    def add(self, store: JsonStore, *jobs: Job, fresh: bool = False) -> None:
        self.issued.update((job.id, job) for job in jobs)
        if self.attempt(store.add, jobs, fresh=fresh) is not None:
            self.acknowledged.update(job.id for job in jobs)

    def claim(self, store: JsonStore, limit: int) -> None:
        claims = self.attempt(store.claim, "owner", NOW, limit)
        self.claims += claims or []

    def settle(self, store: JsonStore, *outcomes: Outcome) -> None:
        pairs = list(zip(self.claims, outcomes, strict=False))
        del self.claims[: len(pairs)]
        lost = self.attempt(store.settle, pairs, NOW)
        if lost is not None:
            assert lost == []
            self.settled.update((claim.job.id, outcome) for claim, outcome in pairs)

    def everything(self) -> None:
        store = self.open() or self.open()
        assert store is not None, "a failure that is over keeps the store from being opened"
        self.store = store
        self.add(store, a_job("a"), fresh=True)
        self.add(store, a_job("b", key="k"))
        self.add(store, *(a_job(f"batch-{n}") for n in range(4)), fresh=True)
        self.claim(store, 3)
        self.settle(store, Succeeded(returned="[1]"), Failed(error=Failure("E", "e")))
        self.by_another()
        self.attempt(store.get, "a")
        self.attempt(store.cancel, ["batch-3"], NOW)
        self.attempt(store.compact)
        self.add(store, a_job("after"), fresh=True)
        self.attempt(store.reschedule, "after", NOW + 5, NOW)
        self.claim(store, 3)
        self.settle(store, Retried(due_ms=NOW + 9), Released())
        self.attempt(store.stats, NOW)
        self.attempt(store.next_due)
        self.attempt(store.renew, self.claims, NOW, 1000)
        self.attempt(store.compact)
        self.add(store, a_job("last"), fresh=True)

    def by_another(self) -> None:
        other = self.open()
        if other is not None:
            self.add(other, a_job("other"))
            self.attempt(other.compact)
            self.add(other, a_job("other-2"), fresh=True)
            self.attempt(other.close)


def _judge(deeds: Deeds) -> None:
    store, system = deeds.store, deeds.system
    assert store is not None
    system.left = 0  # whatever was to fail has failed
    assert len(deeds.refusals) <= 3, deeds.refusals
    held = content(store)
    assert store.check() == []
    _nothing_is_missing(deeds, held)
    store.close()
    left = what_is_left(system.files())
    assert left == held, "what was in memory is not what is in the file"
    assert system.open_count() == 0, "a descriptor was left open"


def _nothing_is_missing(deeds: Deeds, held: dict[str, Job]) -> None:
    assert deeds.acknowledged <= held.keys() <= deeds.issued.keys()
    for id, outcome in deeds.settled.items():
        match outcome:
            case Succeeded(returned=returned):
                assert held[id].returned == returned
            case Failed(error=error):
                assert held[id].error == error
            case Retried(due_ms=due_ms):
                assert held[id].due_ms == due_ms


def _case(number: int, error: int) -> Ordinal:
    system = Ordinal(number, error)
    deeds = Deeds(system)
    try:
        deeds.everything()
        _judge(deeds)
    except Exception as wrong:
        wrong.add_note(
            f"call {number}, {system.failed}, {'a short write' if error == SHORT else errno.errorcode[error]}"
        )
        raise
    return system


def _calls() -> int:
    return _case(0, errno.EIO).calls


def test_nothing_fails_if_no_call_fails() -> None:
    system = Ordinal(0, errno.EIO)
    deeds = Deeds(system)
    deeds.everything()
    assert deeds.refusals == []
    assert deeds.acknowledged == deeds.issued.keys()
    _judge(deeds)


@pytest.mark.parametrize("block", range(4))
def test_whichever_call_fails_the_error_is_ours_and_nothing_acknowledged_is_lost(block: int) -> None:
    names = set()
    for number in range(1 + block, _calls(), 4):
        failed = _case(number, ERRORS[number // 4 % len(ERRORS)]).failed
        names.add(failed and failed[0])
    assert {"open", "pread", "pwrite", "fdatasync", "fstat"} <= names


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("error", ERRORS, ids=[errno.errorcode.get(error, "short write") for error in ERRORS])
def test_whichever_call_fails_in_whatever_way_nothing_acknowledged_is_lost(error: int) -> None:
    for number in range(1, _calls()):
        _case(number, error)
