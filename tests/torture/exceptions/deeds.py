"""The verbs that are struck, each with what it may have done: all of it, or nothing."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from hourwheel import Scheduler
from hourwheel.contract import Filter
from hourwheel.errors import StoreReentered
from hourwheel.job import Claim, Job, State, Succeeded
from hourwheel.store import JsonStore, MemoryStore
from hourwheel.testing import FakeClock
from hourwheel.turn import effects

FORMS: Final = ("sync", "interval", "os", "memory")
_EVERYTHING: Final = Filter()
NOW: Final = 1_700_000_000_000


class Prepared(NamedTuple):
    """A verb that is ready to be called, and the judge of what came of it."""

    do: Callable[[], object]
    wrong: Callable[[BaseException | None], str | None]


class Site:
    """A store in use, and what it has promised."""

    def __init__(self, directory: str, form: str) -> None:
        self.form = form
        self.now_ms = NOW
        self.path = os.path.join(tempfile.mkdtemp(dir=directory), "tasks.json")
        self.lock_path = None if form == "memory" else f"{self.path}.lock"
        self._numbers = iter(range(1, 1 << 40))
        self._promised: set[str] = set()
        self._from_handlers: set[str] = set()
        self.store: Any = self.opened()
        self.clock = FakeClock(NOW + 1)
        self.app = Scheduler(self.store, clock=self.clock)
        self.app.task(name="swept")(_nothing)

    def opened(self) -> Any:
        """The store, or the same once more."""
        if self.form == "memory":
            return MemoryStore()
        return JsonStore(
            self.path,
            durability=self.form,  # type: ignore[arg-type]
            lock_timeout_s=5.0,
            allow_shared_directory=True,
            clock=FakeClock(0),
        )

    def job(self, **fields: Any) -> Job:
        """A new one."""
        return Job(
            **{"id": f"job-{next(self._numbers)}", "task": "t", "due_ms": NOW + 1_000_000, "result_ttl_ms": 1 << 40}
            | fields
        )

    def added(self, **fields: Any) -> Job:
        """A job that the store has promised to keep."""
        job = self.job(**fields)
        self.store.add([job], NOW)
        self._promised.add(job.id)
        return job

    def promise(self, *ids: str) -> None:
        """These were acknowledged."""
        self._promised.update(ids)

    def add_in_handler(self) -> None:
        """What a signal's handler does by delay()."""
        job = self.job()
        try:
            self.store.add([job], NOW, fresh=True)
        except StoreReentered:  # the same thread is just opening the store once more
            return
        self._from_handlers.add(job.id)

    def use(self) -> str | None:
        """The next call of somebody who has nothing to do with it: add, look, check."""
        job = self.job()
        self.store.add([job], NOW, fresh=True)
        self._promised.add(job.id)
        self.store.notify()
        if self.store.get([job.id])[0] is None:
            return "the next call's job is not there"
        missing = [id for id in self._from_handlers if self.store.get([id])[0] is None]
        if missing:
            return f"a job that a handler added is lost: {missing[0]}"
        self._promised |= self._from_handlers
        self._from_handlers.clear()
        return "; ".join(self.store.check()) or None

    def over(self) -> str | None:
        """Close, and look at what whoever opens it next finds; what is wrong with that."""
        if self.form == "memory":
            lost = self._promised - self._found(self.store)
        else:
            self.store.close()
            with self.opened_again() as store:
                lost = self._promised - self._found(store)
                if wrong := store.check():
                    return "; ".join(wrong)
        return f"lost: {sorted(lost)[:3]}" if lost else None

    def opened_again(self) -> Any:
        """As a block."""
        site = self

        class _Again:
            def __enter__(self) -> Any:
                self._store = site.opened()
                return self._store

            def __exit__(self, *_: object) -> None:
                self._store.close()

        return _Again()

    @staticmethod
    def _found(store: Any) -> set[str]:
        return {job.id for job in store.scan(_EVERYTHING, 1 << 30)}


def _nothing() -> None:
    """What the tasks do."""


def _states(site: Site, jobs: list[Job]) -> list[State | None]:
    found = [site.store.get([job.id])[0] for job in jobs]
    return [None if job is None else job.state for job in found]


def _all_or_nothing(
    site: Site, jobs: list[Job], done: State | None, before: State | None
) -> Callable[[BaseException | None], str | None]:
    """A judge: the jobs are all in one state or all in the other, and if the verb has returned, in the first."""

    def wrong(raised: BaseException | None) -> str | None:
        states = set(_states(site, jobs))
        if states not in ({done}, {before}):
            return f"half of a change: {states}"
        if raised is None and states != {done}:
            return f"it returned, and nothing was changed: {states}"
        return None

    return wrong


def _add_one(site: Site) -> Prepared:
    job = site.job()
    return Prepared(lambda: site.store.add([job], NOW, fresh=True), _all_or_nothing(site, [job], State.SCHEDULED, None))


def _add_many(site: Site) -> Prepared:
    jobs = [site.job() for _ in range(5)]
    return Prepared(lambda: site.store.add(jobs, NOW, fresh=True), _all_or_nothing(site, jobs, State.SCHEDULED, None))


def _replace(site: Site) -> Prepared:
    old = site.added(key=f"key-{next(site._numbers)}")
    new = site.job(key=old.key)

    def wrong(raised: BaseException | None) -> str | None:
        states = _states(site, [old, new])
        done, before = [State.CANCELLED, State.SCHEDULED], [State.SCHEDULED, None]
        return None if states == done or (raised is not None and states == before) else f"half of a change: {states}"

    return Prepared(lambda: site.store.add([new], NOW, on_conflict="replace"), wrong)


def _cancel(site: Site) -> Prepared:
    jobs = [site.added() for _ in range(3)]
    ids = [job.id for job in jobs]
    return Prepared(lambda: site.store.cancel(ids, NOW), _all_or_nothing(site, jobs, State.CANCELLED, State.SCHEDULED))


def _run(site: Site) -> Prepared:
    """Claim and settle. A claim whose answer was lost is found by its owner, as the ticker does."""
    jobs = [site.added(due_ms=NOW) for _ in range(3)]

    def do() -> None:
        claims = site.store.claim("me", NOW + 1, 3)
        site.store.settle(effects([(claim, Succeeded()) for claim in claims]), NOW + 2)

    def wrong(raised: BaseException | None) -> str | None:
        states = set(_states(site, jobs))
        if len(states) != 1 or (raised is None and states != {State.SUCCEEDED}):
            return f"half of a change: {states}"
        _clear_away(site, jobs)
        return None

    return Prepared(do, wrong)


def _clear_away(site: Site, jobs: list[Job]) -> None:
    """So that the next case claims its own: who was struck between claim and settle knows what it holds, as a ticker does."""
    found = [site.store.get([job.id])[0] for job in jobs]
    running = [job for job in found if job.state is State.RUNNING]
    site.store.settle(effects([(Claim(job, job.token, job.owner), Succeeded()) for job in running]), NOW + 3)
    site.store.cancel([job.id for job in found if job.state is State.SCHEDULED], NOW)


def _reschedule(site: Site) -> Prepared:
    job = site.added()

    def wrong(raised: BaseException | None) -> str | None:
        due_ms = site.store.get([job.id])[0].due_ms
        return None if due_ms == NOW + 5 or (raised is not None and due_ms == job.due_ms) else f"due at {due_ms}"

    def do() -> None:
        site.store.reschedule([job.id], NOW + 5, NOW)[0]

    return Prepared(do, lambda raised: wrong(raised) or (site.store.cancel([job.id], NOW) and None))


def _look(site: Site) -> Prepared:
    job = site.added()

    def do() -> None:
        assert site.store.get([job.id])[0] is not None
        site.store.stats(NOW)
        site.store.next_due()
        site.store.scan(_EVERYTHING, 5)

    return Prepared(do, lambda _: None)


def _look_at_news(site: Site) -> Prepared:
    """Somebody else has written, so it must be read first."""
    job = site.job()
    if site.form == "memory":
        site.store.add([job], NOW)
    else:
        with site.opened_again() as other:
            other.add([job], NOW)
    site.promise(job.id)
    return Prepared(
        lambda: site.store.get([job.id])[0],
        lambda _: None if site.store.get([job.id])[0] else "what another wrote is not seen",
    )


def _compact(site: Site) -> Prepared:
    job = site.added()
    compact = getattr(site.store, "compact", lambda: None)
    return Prepared(compact, lambda _: None if site.store.get([job.id])[0] else "lost by a compaction")


def _open(site: Site) -> Prepared:
    """Another one opens the store and closes it."""
    job = site.added()

    def do() -> None:
        if site.form != "memory":
            site.opened().close()

    return Prepared(do, lambda _: None if site.store.get([job.id])[0] else "lost by an opening")


def _wait(site: Site) -> Prepared:
    site.store.notify()
    return Prepared(lambda: (site.store.wait(0.0), site.store.wait(0.001), site.store.notify()), lambda _: None)


def _pause(site: Site) -> Prepared:
    def do() -> None:
        site.store.pause(["queue:a"])
        site.store.resume(["queue:a"])

    return Prepared(do, lambda _: site.store.resume(["queue:a", "queue:handler"]) and None)


def _call(site: Site) -> Prepared:
    """delay(), and a look at what came of it."""
    held: list[Any] = []

    def do() -> None:
        held.append(site.app.task(name="t")(_nothing).delay())
        assert held[0].state == "scheduled"

    return Prepared(do, lambda raised: None if held or raised else "it was not stored")


def _sweep(site: Site) -> Prepared:
    """run_due(): what it had claimed as it was struck is run by the next sweep."""
    jobs = [site.job(task="swept", due_ms=NOW) for _ in range(2)]
    site.store.add(jobs, NOW)

    def wrong(_: BaseException | None) -> str | None:
        site.clock.advance(120)  # what could not be begun is put off by a minute
        for _ in range(2):
            site.app.run_due()
        ends = set(_states(site, jobs))
        return None if ends <= {State.SUCCEEDED, State.FAILED} else f"after the next sweep: {ends}"

    return Prepared(site.app.run_due, wrong)


def _get(site: Site) -> Prepared:
    result = site.app.send_task("swept")
    site.app.run_due()
    return Prepared(lambda: result.get(timeout=1), lambda _: None)


DEEDS: Final[dict[str, Callable[[Site], Prepared]]] = {
    "add one": _add_one,
    "add many": _add_many,
    "replace": _replace,
    "cancel": _cancel,
    "claim and settle": _run,
    "reschedule": _reschedule,
    "look": _look,
    "look at what others wrote": _look_at_news,
    "compact": _compact,
    "open and close": _open,
    "wait and ring": _wait,
    "pause and resume": _pause,
    "delay()": _call,
    "run_due()": _sweep,
    "get()": _get,
}
