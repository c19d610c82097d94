"""Simulated zombies: ways to lose a claim, and what is tried with it afterwards."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, Final

from hourwheel.contract import Store
from hourwheel.job import (
    Claim,
    Crashed,
    Failed,
    Failure,
    Job,
    Noted,
    Outcome,
    Released,
    Retried,
    Skipped,
    Snoozed,
    Succeeded,
)
from hourwheel.store import JsonStore, MemoryStore
from hourwheel.turn import effects

from tests.kit.jobs import NOW, StoppedClock, a_job
from tests.kit.memory_system import DIRECTORY, MemorySystem
from tests.torture.report import Report

LEASE_MS: Final = 1_000
_FAILURE: Final = Failure("E", "of a zombie")
OUTCOMES: Final[tuple[Outcome, ...]] = (
    Succeeded(returned='"of a zombie"'),
    Failed(error=_FAILURE),
    Retried(due_ms=NOW, error=_FAILURE),
    Snoozed(due_ms=NOW),
    Released(),
    Crashed(reason="of a zombie"),
    Skipped(reason="of a zombie"),
    Noted(note='"of a zombie"'),
)


class Scene:
    """One store, and the present."""

    def __init__(self, rng: random.Random, *, json: bool) -> None:
        self.rng = rng
        self.now_ms = NOW
        self.system = MemorySystem({}) if json else None
        self.store: Store = self._opened() if json else MemoryStore()

    def _opened(self) -> JsonStore:
        assert self.system is not None
        path = f"{DIRECTORY}/tasks.json"
        return JsonStore(path, system=self.system, durability="os", clock=StoppedClock(), allow_network_fs=True)

    def open_anew(self) -> None:
        """Compact, or be another process that has the same file open, or both."""
        if isinstance(self.store, JsonStore):
            if self.rng.random() < 0.5:
                self.store.compact()
            if self.rng.random() < 0.5:
                self.store.close()
                self.store = self._opened()

    def claim(self, owner: str, id: str, lease_ms: int | None = LEASE_MS) -> Claim | None:
        """Claim a job by name; what else comes with it goes back."""
        mine = None
        for claim in self.store.claim(owner, self.now_ms, 100, lease_ms=lease_ms):
            if claim.job.id == id:
                mine = claim
            else:
                self.store.settle(effects([(claim, Released())]), self.now_ms)
        return mine


Loss = Callable[[Scene, Claim], object]


def _lease_lapses(scene: Scene, claim: Claim) -> None:
    scene.now_ms += LEASE_MS + 1
    scene.claim("other", claim.job.id)


def _lease_lapses_and_nobody_takes_it(scene: Scene, claim: Claim) -> None:
    scene.now_ms += LEASE_MS + 1
    scene.store.claim("other", scene.now_ms, 0)


def _given_back_and_taken_by_another(scene: Scene, claim: Claim) -> None:
    scene.store.settle(effects([(claim, Released())]), scene.now_ms)
    scene.claim("other", claim.job.id)


def _given_back_and_taken_again_by_itself(scene: Scene, claim: Claim) -> None:
    scene.store.settle(effects([(claim, Retried(due_ms=scene.now_ms))]), scene.now_ms)
    scene.claim(claim.owner, claim.job.id)


def _given_back_and_cancelled(scene: Scene, claim: Claim) -> None:
    scene.store.settle(effects([(claim, Snoozed(due_ms=scene.now_ms))]), scene.now_ms)
    scene.store.cancel([claim.job.id], scene.now_ms)


def _given_back_and_moved(scene: Scene, claim: Claim) -> None:
    scene.store.settle(effects([(claim, Released())]), scene.now_ms)
    scene.store.reschedule([claim.job.id], scene.now_ms + 3_600_000, scene.now_ms)[0]


def _given_back_and_replaced_by_key(scene: Scene, claim: Claim) -> None:
    scene.store.settle(effects([(claim, Released())]), scene.now_ms)
    newer = a_job(f"{claim.job.id}-newer", scene.now_ms, key=claim.job.key)
    scene.store.add([newer], NOW, on_conflict="replace")


def _settled_already(scene: Scene, claim: Claim) -> None:
    scene.store.settle(
        effects([(claim, scene.rng.choice([Succeeded(returned="1"), Failed(error=_FAILURE)]))]), scene.now_ms
    )


def _settled_and_run_once_more(scene: Scene, claim: Claim) -> None:
    _settled_already(scene, claim)
    scene.store.revive([claim.job.id], scene.now_ms, scene.now_ms)[0]
    scene.claim("other", claim.job.id)


def _finished_by_another(scene: Scene, claim: Claim) -> None:
    scene.now_ms += LEASE_MS + 1
    other = scene.claim("other", claim.job.id)
    if other is not None:
        scene.store.settle(effects([(other, Succeeded(returned="2"))]), scene.now_ms)


LOSSES: Final[tuple[Loss, ...]] = (
    _lease_lapses,
    _lease_lapses_and_nobody_takes_it,
    _given_back_and_taken_by_another,
    _given_back_and_taken_again_by_itself,
    _given_back_and_cancelled,
    _given_back_and_moved,
    _given_back_and_replaced_by_key,
    _settled_already,
    _settled_and_run_once_more,
    _finished_by_another,
)


def run(report: Report, rng: random.Random, zombies: int) -> None:
    """So many zombies, fifty to a store."""
    for first in range(0, zombies, 50):
        scene = Scene(rng, json=rng.random() < 0.7)
        for number in range(first, min(first + 50, zombies)):
            wrong = _one(scene, f"job-{number}")
            report.cases += 1
            if wrong:
                report.wrong(f"simulated zombie {number}: {wrong}")
        report.demand(not scene.store.check(), f"zombies {first}: {scene.store.check()[:1]}")
        scene.store.close()


def _one(scene: Scene, id: str) -> str:
    rng = scene.rng
    scene.store.add([a_job(id, scene.now_ms, key=f"key-{id}", max_crashes=99, result_ttl_ms=1 << 40)], NOW)
    zombie = scene.claim("zombie", id)
    if zombie is None:
        return "a due job could not be claimed"
    names = []
    for _ in range(rng.choice([1, 1, 2, 3])):
        loss = rng.choice(LOSSES)
        names.append(loss.__name__.strip("_"))
        held = _held(scene, id)
        if held is None:
            break
        loss(scene, held)
    scene.open_anew()
    return _tried(scene, zombie, names)


def _held(scene: Scene, id: str) -> Claim | None:
    """The claim that is the newest now, if the job runs; a job that waits is claimed."""
    job = scene.store.get([id])[0]
    if job is None or job.finished:
        return None
    if job.owner is None:
        return scene.claim("other", id)
    return Claim(job, job.token, job.owner, job.lease_until_ms)


def _tried(scene: Scene, zombie: Claim, names: list[str]) -> str:
    store = scene.store
    before = _picture(scene, zombie)
    outcomes = list(OUTCOMES)
    scene.rng.shuffle(outcomes)
    for outcome in outcomes:
        if store.settle(effects([(zombie, outcome)]), scene.now_ms) != [zombie]:
            return f"after {names} its {type(outcome).__name__} was accepted"
        if _picture(scene, zombie) != before:
            return f"after {names} its {type(outcome).__name__} changed something"
    if store.renew([zombie], scene.now_ms, 60_000) != [zombie] or _picture(scene, zombie) != before:
        return f"after {names} it renewed its lease"
    return ""


def _picture(scene: Scene, zombie: Claim) -> Any:
    job: Job | None = scene.store.get([zombie.job.id])[0]
    return job, scene.store.stats(scene.now_ms)
