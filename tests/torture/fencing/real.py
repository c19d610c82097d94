"""Real zombies: processes that are stopped while they hold a claim, and go on when another has it."""

from __future__ import annotations

import os
import random
import signal
import tempfile
from typing import Final

from hourwheel.clock import SystemClock
from hourwheel.contract import find
from hourwheel.job import Succeeded
from hourwheel.store import JsonStore
from hourwheel.store.state.leases import Leases
from hourwheel.turn import effects

from tests.kit.jobs import a_job
from tests.torture.processes import ended, forked
from tests.torture.report import Report

from .simulated import TRIED, effect_of

_LEASE_MS: Final = 50
_REFUSED: Final = 7
_ACCEPTED: Final = 8
_LONG_S: Final = 30.0


def run(report: Report, rng: random.Random, zombies: int) -> None:
    """One zombie after the other, on one file."""
    with tempfile.TemporaryDirectory(prefix="hourwheel-zombies-") as directory:
        path = f"{directory}/tasks.json"
        store = JsonStore(path, durability="os")
        store.leases = Leases(_LEASE_MS)
        for number in range(zombies):
            wrong = _one(store, path, f"job-{number}", rng)
            report.cases += 1
            if wrong:
                report.wrong(f"real zombie {number}: {wrong}")
        report.demand(not store.check(), f"real zombies: {store.check()[:1]}")
        store.close()


def _one(store: JsonStore, path: str, id: str, rng: random.Random) -> str:
    assert store.leases is not None
    clock, owner = SystemClock(), f"zombie-{id}"
    tried, leaves, settles = rng.choice(TRIED), rng.random() < 0.5, rng.random() < 0.5

    def work() -> None:
        mine = JsonStore(path, durability="os")
        (claim,) = mine.claim(owner, clock.now_ms(), 1)
        os.kill(os.getpid(), signal.SIGSTOP)
        lost = mine.settle([(claim, effect_of(claim, tried))], clock.now_ms())
        os._exit(_REFUSED if lost == [claim] else _ACCEPTED)

    store.add([a_job(id, clock.now_ms())], clock.now_ms())
    pid = forked(work)
    _wait_until_stopped(pid)
    store.leases.begin(owner, clock.now_ms())  # the last that is heard of it
    later_ms = clock.now_ms() + _LEASE_MS + 1  # what the others' clocks show while it stands still
    claims = store.claim("other", later_ms, 1)
    if [claim.job.id for claim in claims] != [id]:
        return "its job could not be taken over after its lease"
    if settles:
        store.settle(effects([(claims[0], Succeeded(returned='"of the other"'))]), later_ms)
    if leaves:
        store.compact()
    before = find(store, id)
    os.kill(pid, signal.SIGCONT)
    status = ended(pid, _LONG_S)
    if status != _REFUSED:
        return f"its {type(tried).__name__} was {'accepted' if status == _ACCEPTED else f'not made: {status}'}"
    if find(store, id) != before:
        return f"its {type(tried).__name__} changed something"
    if not settles:
        store.settle(effects([(claims[0], Succeeded())]), later_ms)
    return ""


def _wait_until_stopped(pid: int) -> None:
    found, status = os.waitpid(pid, os.WUNTRACED)
    assert found == pid and os.WIFSTOPPED(status), f"the zombie ended before it was stopped: {status}"
