"""Simulated zombies: ways to lose a claim, and what is tried with it afterwards."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, Final, TypeVar

from hourwheel.contract import Store, find
from hourwheel.job import (
    Claim,
    Crashed,
    Failed,
    Failure,
    Job,
    Outcome,
    Released,
    Retried,
    Skipped,
    Snoozed,
    Succeeded,
)
from hourwheel.store import JsonStore, MemoryStore
from hourwheel.store.state.leases import Leases
from hourwheel.turn import Effect, Keep, effects, turn

from tests.kit.jobs import NOW, StoppedClock, a_job
from tests.kit.memory_system import DIRECTORY, MemorySystem
from tests.torture.report import Report

S = TypeVar("S", MemoryStore, JsonStore)
LEASE_MS: Final = 1_000
_FAILURE: Final = Failure("E", "of a zombie")
TRIED: Final[tuple[Outcome | Keep, ...]] = (
    Succeeded(returned='"of a zombie"'),
    Failed(error=_FAILURE),
    Retried(due_ms=NOW, error=_FAILURE),
    Snoozed(due_ms=NOW),
    Released(),
    Crashed(reason="of a zombie"),
    Skipped(reason="of a zombie"),
    Keep(note='"of a zombie"'),
    Keep(reason="of a zombie"),
)


def effect_of(claim: Claim, tried: Outcome | Keep) -> Effect:
    """What is settled when this is tried with a claim."""
    return tried if isinstance(tried, Keep) else turn(claim.job, tried)


class Scene:
    """One store, and the present."""

    def __init__(self, rng: random.Random, *, json: bool) -> None:
        self.rng = rng
        self.now_ms = NOW
        self.system = MemorySystem({}) if json else None
        self.leases = Leases(LEASE_MS)
        self.store: Store = self._opened() if json else self._leased(MemoryStore())
        self._signs: dict[str, int] = {}

    def _opened(self) -> JsonStore:
        assert self.system is not None
        path = f"{DIRECTORY}/tasks.json"
        return self._leased(
            JsonStore(path, system=self.system, durability="os", clock=StoppedClock(), allow_network_fs=True)
        )

    def _leased(self, store: S) -> S:
        store.leases = self.leases
        return store

    def open_anew(self) -> None:
        """Compact, or be another process that has the same file open, or both."""
        if isinstance(self.store, JsonStore):
            if self.rng.random() < 0.5:
                self.store.compact()
            if self.rng.random() < 0.5:
                self.store.close()
                self.store = self._opened()

    def lives(self, owner: str) -> bool:
        """Whether the last sign of life of an owner is less than a lease ago."""
        return self.now_ms - self._signs.get(owner, -LEASE_MS) < LEASE_MS

    def beat(self, owner: str) -> str:
        """Give a sign of life; what is wrong with the answer."""
        lived = self.lives(owner)
        if self.store.beat(owner, self.now_ms) != lived:
            return f"a sign of life of one that is {'alive' if lived else 'dead'} was {'refused' if lived else 'taken'}"
        if lived:
            self._signs[owner] = self.now_ms
        return ""

    def claim(self, owner: str, id: str) -> Claim | None:
        """Claim a job by name; what else comes with it goes back."""
        mine = None
        self._signs[owner] = self.now_ms
        for claim in self.store.claim(owner, self.now_ms, 100):
            if claim.job.id == id:
                mine = claim
            else:
                self.store.settle(effects([(claim, Released())]), self.now_ms)
        return mine


Loss = Callable[[Scene, Claim], object]
"""Takes a claim from its owner; what is wrong, if anything."""


def _lease_lapses(scene: Scene, claim: Claim) -> None:
    scene.now_ms += LEASE_MS + 1
    scene.claim("other", claim.job.id)


def _lease_lapses_and_nobody_takes_it(scene: Scene, claim: Claim) -> None:
    scene.now_ms += LEASE_MS + 1
    scene.store.claim("other", scene.now_ms, 0)


def _lease_lapses_and_the_next_sign_of_life_is_too_late(scene: Scene, claim: Claim) -> str:
    scene.now_ms += LEASE_MS + scene.rng.choice([0, 1])
    wrong = scene.beat(claim.owner)
    scene.claim("other", claim.job.id)
    return wrong


def _a_sign_of_life_comes_in_time_and_then_none(scene: Scene, claim: Claim) -> str:
    scene.now_ms += LEASE_MS - 1
    wrong = scene.beat(claim.owner)
    _lease_lapses(scene, claim)
    return wrong


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
    scene.store.reschedule([claim.job.id], scene.now_ms + 3_600_000, scene.now_ms)


def _given_back_and_replaced_by_key(scene: Scene, claim: Claim) -> None:
    scene.store.settle(effects([(claim, Released())]), scene.now_ms)
    newer = a_job(f"{claim.job.id}-newer", scene.now_ms, key=claim.job.key)
    scene.store.add([newer], scene.now_ms, on_conflict="replace")


def _settled_already(scene: Scene, claim: Claim) -> None:
    scene.store.settle(
        effects([(claim, scene.rng.choice([Succeeded(returned="1"), Failed(error=_FAILURE)]))]), scene.now_ms
    )


def _settled_and_run_once_more(scene: Scene, claim: Claim) -> None:
    _settled_already(scene, claim)
    scene.store.revive([claim.job.id], scene.now_ms, scene.now_ms)
    scene.claim("other", claim.job.id)


def _finished_by_another(scene: Scene, claim: Claim) -> None:
    scene.now_ms += LEASE_MS + 1
    other = scene.claim("other", claim.job.id)
    if other is not None:
        scene.store.settle(effects([(other, Succeeded(returned="2"))]), scene.now_ms)


LOSSES: Final[tuple[Loss, ...]] = (
    _lease_lapses,
    _lease_lapses_and_nobody_takes_it,
    _lease_lapses_and_the_next_sign_of_life_is_too_late,
    _a_sign_of_life_comes_in_time_and_then_none,
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
    scene.store.add([a_job(id, scene.now_ms, key=f"key-{id}", max_crashes=99, result_ttl_ms=1 << 40)], scene.now_ms)
    zombie = scene.claim(f"zombie-{id}", id)
    if zombie is None:
        return "a due job could not be claimed"
    names = []
    for _ in range(rng.choice([1, 1, 2, 3])):
        loss = rng.choice(LOSSES)
        names.append(loss.__name__.strip("_"))
        held = _held(scene, id)
        if held is None:
            break
        if wrong := loss(scene, held):
            return f"after {names}: {wrong}"
    scene.open_anew()
    return _tried(scene, zombie, names)


def _held(scene: Scene, id: str) -> Claim | None:
    """The claim that is the newest now, if the job runs; a job that waits is claimed."""
    job = find(scene.store, id)
    if job is None or job.finished:
        return None
    if job.owner is None:
        return scene.claim("other", id)
    return Claim(job, job.token, job.owner)


def _tried(scene: Scene, zombie: Claim, names: list[str]) -> str:
    store = scene.store
    before = _picture(scene, zombie)
    todo = list(TRIED)
    scene.rng.shuffle(todo)
    for tried in todo:
        if store.settle([(zombie, effect_of(zombie, tried))], scene.now_ms) != [zombie]:
            return f"after {names} its {type(tried).__name__} was accepted"
        if _picture(scene, zombie) != before:
            return f"after {names} its {type(tried).__name__} changed something"
    if wrong := scene.beat(zombie.owner):
        return f"after {names}: {wrong}"
    if _picture(scene, zombie) != before:
        return f"after {names} its sign of life changed something"
    return ""


def _picture(scene: Scene, zombie: Claim) -> Any:
    job: Job | None = find(scene.store, zombie.job.id)
    return job, scene.store.stats(scene.now_ms)
