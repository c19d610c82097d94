"""What is done to a store while its disk is watched: by one process, and by others that come, work and die.

The same steps are first made on a memory store, which tells what the store must hold after each change.
"""

from __future__ import annotations

import errno
import itertools
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from hourwheel.clock import MAX_MS
from hourwheel.errors import DuplicateJob, StoreError, UnknownJob
from hourwheel.job import (
    After,
    Bound,
    Claim,
    Failed,
    Failure,
    Fire,
    Job,
    Outcome,
    Released,
    Retried,
    Snoozed,
    Succeeded,
)
from hourwheel.store import JsonStore, MemoryStore
from hourwheel.store.state import views
from hourwheel.store.state.records import Record
from hourwheel.store.state.verbs import StateVerbs
from hourwheel.turn import Keep, effects

from tests.kit.jobs import NOW, a_job, content

from .disk import Died, Disk, Process

Content = dict[str, Job]
_TTL_MS = 1 << 40
FAILURE = Failure("ValueError", "on purpose", "Traceback ...\n")


class Witness(MemoryStore):
    """Notes what it holds after each indivisible change."""

    def __init__(self) -> None:
        super().__init__()
        self.history: list[Content] = [{}]

    def _commit(self, new: Sequence[Job], records: Sequence[Record]) -> None:
        super()._commit(new, records)
        rows = self._state.rows
        assert all(isinstance(row, Job) for row in rows.values())
        self.history.append({job.id: job for job in views.jobs(self._state)})


@dataclass
class Scene:
    """What a step may use."""

    store: StateVerbs
    process: Process | None = None
    claims: list[Claim] = field(default_factory=list)
    stale: list[Claim] = field(default_factory=list)
    others: Others | None = None
    """None with the witness, where there are no others to die."""
    acknowledged: Callable[[int], None] = lambda changes: None
    """To be told of changes that are acknowledged before the step is over."""


@dataclass
class Others:
    """Other processes on the same store."""

    disk: Disk
    open: Callable[[Process], JsonStore]

    def work(self, what: Callable[[JsonStore], Any], before: Callable[[Process], None] = lambda process: None) -> None:
        """Open the store, do ``what`` and close; or die at it, as ``before`` may have arranged."""
        process = Process(self.disk)
        try:
            store = self.open(process)
            before(process)
            what(store)
            store.close()
        except Died:
            process.die()


Step = Callable[[Scene], Any]

DOUBTFUL = object()
"""Returned by a step that was told that nobody knows whether its change is on the disk."""


def a_payload(rng: random.Random) -> str:
    return f'[["{"x" * rng.choice([0, 5, 60, 300, 511, 700, 1500])}"],{{}}]'


Kind = Callable[[random.Random, Iterator[int]], Step]
KINDS: dict[str, Kind] = {}
"""What steps are made of, by name."""


def _kind(kind: Kind) -> Kind:
    KINDS[kind.__name__] = kind
    return kind


USUAL = (
    "add add add add add_many wait claim claim settle settle settle settle_stale cancel move forget revive tidy compact fire follow "
    "hold compact_while_adding other_adds other_adds_and_dies other_compacts other_dies_compacting other_dies_after_the_rename "
    "other_tears_a_write sync_fails write_fails"
)


def steps(seed: int, count: int, kinds: str = USUAL) -> list[Step]:
    """A random sequence of steps, of the kinds named; the same seed gives the same."""
    rng, numbers = random.Random(seed), itertools.count()
    names = kinds.split()
    return [KINDS["add"](rng, numbers), *(KINDS[rng.choice(names)](rng, numbers) for _ in range(count - 1))]


@_kind
def add(rng: random.Random, numbers: Iterator[int]) -> Step:
    job = _new_job(rng, numbers)
    fresh = job.key is None and rng.random() < 0.5
    return lambda scene: scene.store.add([job], NOW, fresh=fresh)


def _new_job(rng: random.Random, numbers: Iterator[int]) -> Job:
    return a_job(
        f"job-{next(numbers)}",
        NOW + rng.randint(-5000, 5000),
        payload=a_payload(rng),
        priority=rng.choice([0, 0, 0, 3]),
        key=rng.choice([None, None, None, "k1", "k2"]),
        result_ttl_ms=_TTL_MS,
        limits=rng.choice([(), (), (), (Bound("two", 2),), (Bound("rate", 100, 1_000),)]),
    )


@_kind
def add_many(rng: random.Random, numbers: Iterator[int]) -> Step:
    jobs = [_new_job(rng, numbers)._replace(key=None) for _ in range(rng.randint(2, 6))]
    return lambda scene: scene.store.add(jobs, NOW, fresh=True)


@_kind
def wait(rng: random.Random, numbers: Iterator[int]) -> Step:
    """A job that waits for some that are there, or were."""
    number = next(numbers)
    ids = tuple({f"job-{rng.randrange(number)}": None for _ in range(rng.choice([1, 1, 3]))})
    after = After(ids, len(ids), rng.choice(["succeeded", "finished"]), "nothing", rng.choice([0, 0, 700]))
    job = a_job(f"job-{number}", MAX_MS, after=after, payload=a_payload(rng), result_ttl_ms=_TTL_MS)

    def step(scene: Scene) -> None:
        with suppress(UnknownJob):
            scene.store.add([job], NOW)

    return step


@_kind
def claim(rng: random.Random, numbers: Iterator[int]) -> Step:
    limit = rng.randint(1, 4)

    def step(scene: Scene) -> None:
        scene.claims += scene.store.claim("worker", NOW, limit)

    return step


def _outcome(rng: random.Random) -> Outcome:
    return rng.choice(
        [
            Succeeded(returned=f'"{"r" * rng.choice([0, 20, 900])}"'),
            Failed(error=FAILURE, reason="no attempt left"),
            Retried(due_ms=NOW + 10, error=FAILURE),
            Snoozed(due_ms=NOW - 10, reason="not yet"),
            Released(reason="stopping"),
        ]
    )


@_kind
def fire(rng: random.Random, numbers: Iterator[int]) -> Step:
    job = _fire(next(numbers), NOW - 1)
    return lambda scene: scene.store.add([job], NOW)


def _fire(number: int, at_ms: int) -> Job:
    fire = Fire("often", at_ms, "every now and then")
    return a_job(f"often@{number}", at_ms, key="schedule:often", fire=fire, result_ttl_ms=_TTL_MS)


@_kind
def follow(rng: random.Random, numbers: Iterator[int]) -> Step:
    """Claim what is due, and say what comes next of each fire, twice over."""
    number = next(numbers)

    def step(scene: Scene) -> None:
        scene.claims += scene.store.claim("worker", NOW, 6)
        fires = [claim for claim in scene.claims if claim.job.fire is not None]
        scene.store.settle([(claim, Keep(next=_fire(number, NOW + 5))) for claim in fires * 2], NOW)

    return step


@_kind
def hold(rng: random.Random, numbers: Iterator[int]) -> Step:
    """Pause, or resume what was paused; it is seen in what claims give afterwards."""
    name, on = rng.choice(["queue:default", "task:app.remind", "schedule:often"]), rng.random() < 0.3
    return lambda scene: scene.store.pause([name]) if on else scene.store.resume(scene.store.paused())


@_kind
def settle(rng: random.Random, numbers: Iterator[int]) -> Step:
    outcomes = [_outcome(rng) for _ in range(rng.randint(1, 3))]

    def step(scene: Scene) -> None:
        ended, scene.claims = scene.claims[: len(outcomes)], scene.claims[len(outcomes) :]
        scene.store.settle(effects(list(zip(ended, outcomes, strict=False))), NOW)
        scene.stale += ended

    return step


@_kind
def settle_stale(rng: random.Random, numbers: Iterator[int]) -> Step:
    return lambda scene: scene.store.settle(effects([(claim, Succeeded()) for claim in scene.stale[-3:]]), NOW)


@_kind
def cancel(rng: random.Random, numbers: Iterator[int]) -> Step:
    pick = rng.random()

    def step(scene: Scene) -> None:
        ids = sorted(content(scene.store))
        scene.store.cancel(ids[int(pick * len(ids)) :][:2], NOW, reason="on purpose")

    return step


@_kind
def forget(rng: random.Random, numbers: Iterator[int]) -> Step:
    pick = rng.random()

    def step(scene: Scene) -> None:
        held = content(scene.store)
        ids = sorted(id for id, job in held.items() if job.finished)
        scene.store.forget(ids[int(pick * len(ids)) :][:3])

    return step


@_kind
def move(rng: random.Random, numbers: Iterator[int]) -> Step:
    pick, due_ms = rng.random(), NOW + rng.randint(-5000, 5000)

    def step(scene: Scene) -> None:
        ids = sorted(content(scene.store))
        if ids:
            scene.store.reschedule([ids[int(pick * len(ids))]], due_ms, NOW)

    return step


@_kind
def revive(rng: random.Random, numbers: Iterator[int]) -> Step:
    pick = rng.random()

    def step(scene: Scene) -> None:
        ids = sorted(id for id, job in content(scene.store).items() if job.finished)
        with suppress(DuplicateJob):
            scene.store.revive(ids[int(pick * len(ids)) :][:2], NOW + 7, NOW)

    return step


@_kind
def tidy(rng: random.Random, numbers: Iterator[int]) -> Step:
    return lambda scene: scene.store.tidy(NOW + 2 * _TTL_MS)


@_kind
def compact(rng: random.Random, numbers: Iterator[int]) -> Step:
    def step(scene: Scene) -> None:
        if isinstance(scene.store, JsonStore):
            scene.store.compact()

    return step


@_kind
def compact_while_adding(rng: random.Random, numbers: Iterator[int]) -> Step:
    jobs = [_new_job(rng, numbers)._replace(key=None) for _ in range(3)]
    pauses = rng.randint(1, 6)

    def step(scene: Scene) -> None:
        left = list(jobs)

        def pause() -> None:
            nonlocal pauses
            pauses -= 1
            if pauses <= 0 and left:
                scene.store.add([left.pop(0)], NOW)
                scene.acknowledged(1)

        if isinstance(scene.store, JsonStore):
            scene.store._keeper._compactor.run(pause)
        for job in left:
            scene.store.add([job], NOW)

    return step


@_kind
def other_adds(rng: random.Random, numbers: Iterator[int]) -> Step:
    job = _new_job(rng, numbers)._replace(key=None)

    def step(scene: Scene) -> None:
        if scene.others is None:
            scene.store.add([job], NOW)
        else:
            scene.others.work(lambda store: store.add([job], NOW))

    return step


@_kind
def other_adds_and_dies(rng: random.Random, numbers: Iterator[int]) -> Step:
    job = _new_job(rng, numbers)._replace(key=None)

    def step(scene: Scene) -> None:
        if scene.others is None:
            scene.store.add([job], NOW)
            return

        def work(store: JsonStore) -> None:
            store.add([job], NOW)
            raise Died

        scene.others.work(work)

    return step


@_kind
def other_compacts(rng: random.Random, numbers: Iterator[int]) -> Step:
    def step(scene: Scene) -> None:
        if scene.others is not None:
            scene.others.work(lambda store: store.compact())

    return step


@_kind
def other_dies_compacting(rng: random.Random, numbers: Iterator[int]) -> Step:
    left = rng.randint(1, 45)

    def arrange(process: Process) -> None:
        def before(call: str, path: str) -> None:
            nonlocal left
            left -= 1
            if left < 0:
                process.die()

        process.before = before

    return _other_compacting(arrange)


@_kind
def other_dies_after_the_rename(rng: random.Random, numbers: Iterator[int]) -> Step:
    def arrange(process: Process) -> None:
        renamed = False

        def before(call: str, path: str) -> None:
            nonlocal renamed
            if renamed:
                process.die()
            renamed = call == "replace"

        process.before = before

    return _other_compacting(arrange)


def _other_compacting(arrange: Callable[[Process], None]) -> Step:
    def step(scene: Scene) -> None:
        if scene.others is not None:
            scene.others.work(lambda store: store.compact(), arrange)

    return step


@_kind
def other_tears_a_write(rng: random.Random, numbers: Iterator[int]) -> Step:
    job = _new_job(rng, numbers)._replace(key=None)
    done = rng.randint(0, 120)

    def arrange(process: Process) -> None:
        process.tear = done

    def step(scene: Scene) -> None:
        if scene.others is not None:
            scene.others.work(lambda store: store.add([job], NOW), arrange)

    return step


@_kind
def sync_fails(rng: random.Random, numbers: Iterator[int]) -> Step:
    """The change is there for as long as the machine runs; so it is in the epoch that is begun next."""
    job = _new_job(rng, numbers)._replace(key=None)

    def step(scene: Scene) -> object:
        _add_failing(scene, job, "fdatasync")
        return DOUBTFUL

    return step


@_kind
def write_fails(rng: random.Random, numbers: Iterator[int]) -> Step:
    job = _new_job(rng, numbers)._replace(key=None)

    def step(scene: Scene) -> object:
        if scene.process is not None:
            _add_failing(scene, job, "pwrite")
        return DOUBTFUL

    return step


def _add_failing(scene: Scene, job: Job, failing: str) -> None:
    process = scene.process
    if process is None:
        scene.store.add([job], NOW)
        return

    scene.store.stats(NOW)  # mends what an earlier step has broken, so that it is this change that fails

    def before(call: str, path: str) -> None:
        if call == failing and ".journal." in path:
            process.before = lambda call, path: None
            raise OSError(errno.EIO, "injected")

    process.before = before
    try:
        scene.store.add([job], NOW)
    except StoreError:
        process.before = lambda call, path: None
    else:
        raise AssertionError("a change whose sync failed was acknowledged")


def history(made: list[Step]) -> tuple[list[Content], list[int]]:
    """What a store must hold after each change, and how many changes were made when each step was done."""
    witness = Witness()
    scene = Scene(store=witness)
    ends = []
    for step in made:
        step(scene)
        ends.append(len(witness.history) - 1)
    return witness.history, ends
