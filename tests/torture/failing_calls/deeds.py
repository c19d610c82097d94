"""Deeds: every verb of a store whose calls fail, done at the same time to a memory store that cannot fail.

What a store says is compared with the memory store: a success must have the same answer. A refusal must have changed
nothing, unless it says that this is not known; then the file is looked at, which the failing store does not notice, and
the memory store follows it.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from hourwheel.errors import HourwheelError, StoreError
from hourwheel.job import Claim, Failed, Failure, Job, Outcome, Released, Retried, Snoozed, Succeeded
from hourwheel.store import JsonStore, MemoryStore
from hourwheel.store.file.store import Durability
from hourwheel.turn import effects

from tests.kit.jobs import NOW, StoppedClock, a_job, content, epoch_of
from tests.kit.memory_system import DIRECTORY, MemorySystem
from tests.kit.remains import Refusal, what_is_left

from .faults import Faults

PATH = f"{DIRECTORY}/tasks.json"
_NOT_KNOWN = ("not known", "may not be on the disk")
_LONG_MS = 100 * 86_400_000
_READ = ("get", "scan", "stats", "next_due", "density", "check")
_CHANGES_NOTHING = ("open", "compact", "close", "_sync_quietly", *_READ)
Deed = Callable[["Deeds"], None]


class Wrong(Exception):
    """Something that must not be."""


def open_store(system: MemorySystem, durability: Durability) -> JsonStore:
    """A store that loses no time over locks."""
    return JsonStore(
        PATH, system=system, durability=durability, allow_network_fs=True, lock_timeout_s=0.01, clock=StoppedClock()
    )


class Deeds:
    """Does things to a store, whether it can or not, and holds it to what it says."""

    def __init__(self, system: Faults, durability: Durability) -> None:
        self.system = system
        self.durability = durability
        self.store: JsonStore | None = None
        self.refusals: list[HourwheelError] = []
        self.claims: list[Claim] = []
        self.ask = 0
        self.model = MemoryStore()
        self._done: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []

    # ---- holding it to its word --------------------------------------------------------------------------

    def do(self, verb: str, *args: Any, of: JsonStore | None = None, **options: Any) -> Any:
        """Call a verb of the store (or of another); its answer, or None if it was refused."""
        store = of or self.opened()
        if store is None:
            return None
        try:
            answer = getattr(store._keeper if verb == "_sync_quietly" else store, verb)(*args, **options)
        except HourwheelError as refusal:
            self._refused(refusal, verb, args, options)
            return None
        self._acknowledged(store, verb)
        if verb not in ("compact", "close", "_sync_quietly"):
            told = self._do_to_model(verb, args, options)
            if verb not in ("stats", "tidy") and told != answer:
                raise Wrong(f"{verb} answered {answer!r:.200}, not {told!r:.200}")
        return answer

    def opened(self) -> JsonStore | None:
        """The store, opened anew if that was refused before."""
        if self.store is None:
            self.store = self.open()
        return self.store

    def open(self) -> JsonStore | None:
        """Another process's store, say."""
        try:
            return open_store(self.system, self.durability)
        except HourwheelError as refusal:
            self._refused(refusal, "open", (), {})
            return None

    def _acknowledged(self, store: JsonStore, verb: str) -> None:
        if (
            self.durability == "sync"
            and verb not in _CHANGES_NOTHING
            and epoch_of(store).journal.path in self.system.unsound
        ):
            raise Wrong(f"{verb} was acknowledged from a journal of which a sync has failed")

    def _do_to_model(self, verb: str, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        if verb not in _READ:
            self._done.append((verb, args, options))
        return getattr(self.model, verb)(*args, **options)

    def _refused(self, refusal: HourwheelError, verb: str, args: tuple[Any, ...], options: dict[str, Any]) -> None:
        self.refusals.append(refusal)
        if not isinstance(refusal, StoreError):
            raise Wrong(f"{verb} was refused with {refusal!r:.200}")
        left = self._left()
        if left == content(self.model):
            return
        if verb in _CHANGES_NOTHING or not _says_not_known(refusal):
            raise Wrong(f"{verb} was refused and yet the content is another: {refusal!r:.200}")
        self._do_to_model(verb, args, options)
        if left != content(self.model):
            raise Wrong(f"{verb} is there neither as a whole nor not at all: {refusal!r:.200}")

    def _left(self) -> dict[str, Job]:
        """What another process would find now."""
        files = self.system.files()
        left = what_is_left(files)
        if isinstance(left, Refusal):
            raise Wrong(f"the file cannot be opened: {left!r:.200}")
        return left

    # ---- ending ------------------------------------------------------------------------------------------

    def judge(self) -> None:
        """The failures are over: everything must work again, by itself, and nothing be missing."""
        self.system.lift()
        known = len(self.refusals)
        self.add(a_job("once all is well"))
        self.do("check")
        self._at_most_one_more(known)
        store = self.opened()
        if store is None:
            raise Wrong("a failure that is over keeps the store from being opened")
        held, wanted = content(store), content(self.model)
        if held != wanted:
            raise Wrong(f"missing {wanted.keys() - held.keys()}, invented {held.keys() - wanted.keys()}")
        if store.check():
            raise Wrong(f"check: {store.check()[0]}")
        self.do("close")  # the first sync since then, if the durability is "interval"
        self._at_most_one_more(known)
        if self._left() != wanted:
            raise Wrong("what was in memory is not what is in the file")
        if self.system.open_count():
            raise Wrong(f"{self.system.open_count()} descriptors were left open")

    def _at_most_one_more(self, known: int) -> None:
        """One verb may still have to tell of what is over: each descriptor of a journal learns of a failed sync once."""
        if len(self.refusals) > known + 1:
            raise Wrong(f"it does not recover: {self.refusals[-1]!r:.200}")

    # ---- what is done ------------------------------------------------------------------------------------

    def add(self, *jobs: Job, fresh: bool = False, of: JsonStore | None = None) -> None:
        """Add jobs."""
        self.do("add", list(jobs), NOW, fresh=fresh, of=of)

    def claim(self, limit: int) -> None:
        """Claim jobs and keep the claims; those whose answer was lost come with the next ones."""
        claims = self.do("claim", "owner", NOW, limit, ask=self.ask)
        if claims is not None:
            self.claims += claims
            self.ask = claims.ask

    def settle(self, *outcomes: Outcome) -> None:
        """Settle the oldest claims; what was refused is settled with the next ones, as the ticker does it."""
        pairs = list(zip(self.claims, outcomes, strict=False))
        if self.do("settle", effects(pairs), NOW) is not None:
            del self.claims[: len(pairs)]

    def by_another(self, number: int) -> None:
        """Another process opens the store, adds, compacts, and closes it."""
        other = self.open()
        if other is not None:
            self.add(a_job(f"other-{number}"), of=other)
            self.do("compact", of=other)
            self.add(a_job(f"other-{number}-2"), fresh=True, of=other)
            self.do("close", of=other)

    def half_a_second(self) -> None:
        """What the thread of "interval" does."""
        if self.durability == "interval":
            self.do("_sync_quietly")

    def reopen(self) -> None:
        """Close the store and open it again."""
        if self.store is not None:
            self.do("close")
        self.store = None
        self.opened()


def _says_not_known(refusal: HourwheelError) -> bool:
    return any(words in str(refusal) for words in _NOT_KNOWN)


def script(seed: int) -> list[Deed]:
    """What is done, in order: every verb once or twice for seed 0, any of them else."""
    return _usual() if seed == 0 else _random(random.Random(seed))


def _usual() -> list[Deed]:
    return [
        lambda deeds: deeds.add(a_job("a"), fresh=True),
        lambda deeds: deeds.add(a_job("b", key="k")),
        lambda deeds: deeds.add(*(a_job(f"batch-{n}") for n in range(4)), fresh=True),
        lambda deeds: deeds.claim(3),
        lambda deeds: deeds.settle(Succeeded(returned="[1]"), Failed(error=Failure("E", "e"))),
        lambda deeds: deeds.half_a_second(),
        lambda deeds: deeds.by_another(0),
        lambda deeds: deeds.do("get", ["a"]),
        lambda deeds: deeds.do("cancel", ["batch-3"], NOW),
        lambda deeds: deeds.do("compact"),
        lambda deeds: deeds.add(a_job("after"), fresh=True),
        lambda deeds: deeds.do("reschedule", ["after"], NOW + 5, NOW),
        lambda deeds: deeds.claim(3),
        lambda deeds: deeds.settle(Retried(due_ms=NOW + 9), Released()),
        lambda deeds: deeds.do("stats", NOW),
        lambda deeds: deeds.do("next_due"),
        lambda deeds: deeds.do("revive", ["batch-3"], NOW + 5, NOW),
        lambda deeds: deeds.do("tidy", NOW + _LONG_MS),
        lambda deeds: deeds.reopen(),
        lambda deeds: deeds.do("density", NOW, 60),
        lambda deeds: deeds.do("compact"),
        lambda deeds: deeds.half_a_second(),
        lambda deeds: deeds.add(a_job("last"), fresh=True),
    ]


def _random(rng: random.Random) -> list[Deed]:
    return [lambda deeds: deeds.add(a_job("first"), fresh=True), *(_any(rng, number) for number in range(16))]


def _any(rng: random.Random, number: int) -> Deed:
    id, size, pick = f"job-{number}", rng.choice([0, 40, 700, 5000]), rng.random()
    jobs = [a_job(f"{id}-{n}", payload=f'[["{"x" * size}"],{{}}]') for n in range(rng.choice([1, 1, 5]))]
    outcomes: list[Outcome] = [Succeeded(returned=f'"{"r" * size}"'), Released(), Snoozed(due_ms=NOW, reason="s")]
    rng.shuffle(outcomes)
    choices: list[Deed] = [
        lambda deeds: deeds.add(*jobs, fresh=True),
        lambda deeds: deeds.add(*jobs),
        lambda deeds: deeds.add(jobs[0]._replace(key="k")),
        lambda deeds: deeds.claim(2),
        lambda deeds: deeds.claim(3),
        lambda deeds: deeds.settle(*outcomes),
        lambda deeds: deeds.settle(*outcomes[:1]),
        lambda deeds: deeds.do("cancel", sorted(content(deeds.model))[:2], NOW),
        lambda deeds: deeds.do("reschedule", [_one_of(deeds.model, pick)], NOW + 3, NOW),
        lambda deeds: deeds.do("revive", _finished(deeds.model)[:2], NOW + 3, NOW),
        lambda deeds: deeds.do("tidy", NOW + _LONG_MS),
        lambda deeds: deeds.by_another(number),
        lambda deeds: deeds.do("compact"),
        lambda deeds: deeds.half_a_second(),
        lambda deeds: deeds.reopen(),
    ]
    return rng.choice(choices)


def _finished(model: MemoryStore) -> list[str]:
    """Those that can be revived whatever has come since."""
    return sorted(id for id, job in content(model).items() if job.finished and job.key is None)


def _one_of(model: MemoryStore, pick: float) -> str:
    ids = sorted(content(model))
    return ids[int(pick * len(ids))] if ids else "nobody"
