"""The scheduler at its edges: what it passes on, whom it wakes, how it ends; its ticker played by the test."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from hourwheel import Scheduler, StoreClosed
from hourwheel.job import Job
from hourwheel.scheduler import life as module
from hourwheel.store import MemoryStore
from hourwheel.tasks.default_app import get_default
from hourwheel.worker.run import ending


class PlayedTicker:
    """Notes what it is told."""

    def __init__(self, horizon_ms: int = 0) -> None:
        self.horizon_ms = horizon_ms
        self.wakes = 0
        self.alive = True
        self.ended = False
        self.died: BaseException | None = None
        self.told: list[tuple[str, float]] = []
        self.thread = SimpleNamespace(is_alive=lambda: self.thread_lives)
        self.thread_lives = True
        self.late = SimpleNamespace(when_over=lambda _: False)
        self.pool = SimpleNamespace(is_inside=lambda: False)
        self.on_end: Callable[[], None] = lambda: None

    def wake(self) -> None:
        self.wakes += 1

    def start(self, ready: Callable[[], None]) -> None:
        ready()
        self.told.append(("start", 0.0))

    def stop(self, timeout_s: float) -> list[Job]:
        self.told.append(("stop", timeout_s))
        self.alive = False
        return [Job(id="left", task="t", due_ms=0)]

    def leave(self) -> None:
        self.told.append(("leave", 0.0))

    def stop_claiming(self, timeout_s: float) -> None:
        self.told.append(("stop_claiming", timeout_s))


class NotingStore(MemoryStore):
    """Notes how jobs are added."""

    def __init__(self) -> None:
        super().__init__()
        self.added: list[tuple[int, str, bool]] = []

    def add(self, jobs: Any, now_ms: int, *, on_conflict: Any = "keep", fresh: bool = False) -> list[str]:
        self.added.append((len(jobs), on_conflict, fresh))
        return super().add(jobs, now_ms, on_conflict=on_conflict, fresh=fresh)


@pytest.fixture
def store() -> NotingStore:
    return NotingStore()


@pytest.fixture
def app(store: NotingStore) -> Scheduler:
    return Scheduler(store, workers=3)


@pytest.fixture
def ticker(app: Scheduler) -> PlayedTicker:
    """The ticker of the app, as if it ran."""
    played = PlayedTicker(horizon_ms=1_000)
    app.life.ticker = played  # type: ignore[assignment]
    return played


def job(id: str, due_ms: int = 0) -> Job:
    return Job(id=id, task="t", due_ms=due_ms)


# ---- what it is --------------------------------------------------------------------------------------------


def test_what_a_scheduler_is_if_nothing_is_said() -> None:
    app = Scheduler()
    assert (app.workers, app.queues, app.result_ttl_ms, app.running, app.stuck) == (4, None, 3_600_000, False, False)
    assert repr(app) == "Scheduler('tasks.json', workers=4, stopped)"


def test_a_scheduler_shows_its_store_and_whether_it_runs(app: Scheduler, store: NotingStore) -> None:
    assert repr(app) == f"Scheduler({store!r}, workers=3, stopped)"
    app.life.ticker = PlayedTicker()  # type: ignore[assignment]
    assert repr(app) == f"Scheduler({store!r}, workers=3, running)"


def test_an_owner_is_told_from_all_others_by_its_process_and_eight_random_digits() -> None:
    app = Scheduler(MemoryStore(), owner="web")
    assert re.fullmatch(rf"web-{os.getpid()}-[0-9a-f]{{8}}", app.owner)


@pytest.mark.parametrize(
    ("alive", "thread_lives", "stuck"),
    [(True, True, False), (True, False, False), (False, True, True), (False, False, False)],
)
def test_a_scheduler_is_stuck_if_it_was_stopped_and_its_thread_lives_on(
    app: Scheduler, ticker: PlayedTicker, alive: bool, thread_lives: bool, stuck: bool
) -> None:
    ticker.alive, ticker.thread_lives = alive, thread_lives
    assert (app.running, app.stuck) == (alive, stuck)


# ---- adding jobs -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("due_ms", "wakes"), [(999, 1), (1_000, 0), (1_001, 0)])
def test_only_a_job_due_before_the_end_of_the_nap_wakes_the_ticker(
    app: Scheduler, ticker: PlayedTicker, due_ms: int, wakes: int
) -> None:
    assert app.submit(job("a", due_ms)) == "a"
    assert ticker.wakes == wakes
    assert app.submit_many([job("b", 5_000), job("c", due_ms), job("d", 6_000)]) == ["b", "c", "d"]
    assert ticker.wakes == 2 * wakes


def test_jobs_are_stored_though_nothing_runs(app: Scheduler, store: NotingStore) -> None:
    assert app.submit(job("a")) == "a"
    assert app.submit_many([job("b"), job("c")]) == ["b", "c"]
    assert app.submit_many([]) == []
    assert [len(store.scan()), app.running] == [3, False]


def test_a_job_that_may_be_there_already_is_looked_for_and_many_new_ones_are_not(
    app: Scheduler, store: NotingStore
) -> None:
    app.submit(job("a"))
    app.submit(job("a"))
    app.submit_many([job("b"), job("c")])
    app.submit(job("d"), fresh=True, on_conflict="raise")
    app.submit_many([job("b")], fresh=False, on_conflict="replace")
    assert store.added == [
        (1, "keep", False),
        (1, "keep", False),
        (2, "keep", True),
        (1, "raise", True),
        (1, "replace", False),
    ]
    assert len(store.scan()) == 4


def test_a_store_that_was_named_is_opened_for_the_first_job(tmp_path: Any) -> None:
    app = Scheduler(tmp_path / "tasks.json", durability="os")
    assert app.submit(job("a")) == "a"
    assert app.store.get(["a"])[0] is not None
    app.close()


# ---- ending ------------------------------------------------------------------------------------------------


def test_stop_passes_its_patience_on_and_tells_what_is_left(app: Scheduler, ticker: PlayedTicker) -> None:
    assert [left.id for left in app.stop()] == ["left"]
    app.stop(2.5)
    app.__exit__(None, None, None)
    assert ticker.told == [("stop", 30.0), ("stop", 2.5), ("stop", 30.0)]


def test_close_stops_first_and_gives_up_the_place_of_the_default(app: Scheduler, ticker: PlayedTicker) -> None:
    assert get_default() is app
    ticker.thread_lives = False
    app.close()
    assert ticker.told == [("stop", 30.0)]
    other = Scheduler(MemoryStore())
    assert get_default() is other


def test_close_closes_the_store_that_the_scheduler_has_opened_and_no_other(app: Scheduler, tmp_path: Any) -> None:
    app.close()
    assert app.store.scan() == []
    named = Scheduler(tmp_path / "tasks.json", durability="os")
    opened = named.store
    named.close()
    with pytest.raises(StoreClosed):
        opened.scan()
    named.close()
    assert named.store is not opened
    named.close()


def test_at_the_end_of_a_program_each_scheduler_has_the_grace_of_stop_and_gives_back_what_still_runs(
    ticker: PlayedTicker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ending, "_begun", False)
    ending._at_exit()
    assert ticker.told == [("stop_claiming", 30.0), ("stop", 30.0), ("leave", 0.0)]


def test_in_a_forked_child_a_scheduler_is_stopped_and_has_an_owner_of_its_own(
    app: Scheduler, ticker: PlayedTicker
) -> None:
    owner = app.owner
    pid = os.fork()
    if not pid:
        sound = not app.running and app.life.ticker is None and app.owner != owner and str(os.getpid()) in app.owner
        os._exit(0 if sound else 1)
    assert os.waitpid(pid, 0)[1] == 0
    assert (app.running, app.owner) == (True, owner)


# ---- a program of its own ----------------------------------------------------------------------------------


class PlayedWaiter:
    """Waits for a story to go on, event by event, instead of for signals."""

    story: Iterator[Callable[[], None]]

    def __init__(self) -> None:
        self.signals = 0
        self.waits: list[float | None] = []
        PlayedWaiter.last = self

    last: PlayedWaiter

    @contextmanager
    def listening(self) -> Iterator[None]:
        yield

    def wait_while(self, condition: Callable[[], bool], timeout_s: float | None = None) -> None:
        self.waits.append(timeout_s)
        while condition():
            event = next(PlayedWaiter.story, None)
            if event is None:
                return
            event()

    def happened(self) -> None:
        raise AssertionError("nothing happens but in the story")


@pytest.fixture
def played(app: Scheduler, monkeypatch: pytest.MonkeyPatch) -> PlayedTicker:
    """The ticker that run() will start."""
    monkeypatch.setattr(module, "Waiter", PlayedWaiter)
    ticker = PlayedTicker()
    app.life._new_ticker = lambda store, owed: ticker  # type: ignore[method-assign,assignment,return-value]
    return ticker


def signal() -> None:
    PlayedWaiter.last.signals += 1


def test_the_first_signal_ends_claiming_and_the_second_everything(
    app: Scheduler, played: PlayedTicker, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    rest = [signal, signal, signal]
    PlayedWaiter.story = iter(rest)
    assert [left.id for left in app.run(timeout=12.5)] == ["left"]
    assert played.told == [("start", 0.0), ("stop_claiming", 12.5), ("stop", 0.0)]
    assert (PlayedWaiter.last.waits, PlayedWaiter.last.signals) == ([None, 12.5], 2)
    assert [record.getMessage() for record in caplog.records] == [
        f"Ready: 3 workers on {app.store!r} as {app.owner}",
        "Stopping: waiting up to 12.5 s for running jobs; once more means now",
    ]


def test_after_the_first_signal_the_end_of_the_last_job_is_the_end(app: Scheduler, played: PlayedTicker) -> None:
    def end() -> None:
        played.ended = True

    PlayedWaiter.story = iter([signal, end, signal])
    app.run()
    assert played.told == [("start", 0.0), ("stop_claiming", 30.0), ("stop", 0.0)]
    assert (PlayedWaiter.last.waits, PlayedWaiter.last.signals) == ([None, 30.0], 1)


def test_a_scheduler_that_is_stopped_without_a_signal_waits_for_none(
    app: Scheduler, played: PlayedTicker, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)

    def end() -> None:
        played.ended = True

    PlayedWaiter.story = iter([lambda: None, end, signal])
    app.run()
    assert played.told == [("start", 0.0), ("stop", 0.0)]
    assert (PlayedWaiter.last.waits, PlayedWaiter.last.signals) == ([None], 0)
    assert "Stopping" not in caplog.text
    with pytest.raises(AssertionError, match="nothing happens but in the story"):
        played.on_end()  # tells the waiter, which is over
