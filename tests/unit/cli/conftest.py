"""Small stores, and main() as a function of words to (status, out, err)."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hourwheel.cli import console, main
from hourwheel.job import Failed, Failure, Job, Succeeded
from hourwheel.store import JsonStore
from hourwheel.testing import FakeClock
from hourwheel.turn import effects

NOW_MS = 1_900_000_000_250
MINUTE_MS = 60_000
DAY_MS = 86_400_000

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """A quiet environment, an empty directory, and no module left of the last test."""
    for name in ("HOURWHEEL_STORE", "HOURWHEEL_APP", "HOURWHEEL_DEBUG", "COLUMNS", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    monkeypatch.chdir(tmp_path)
    modules, path = set(sys.modules), list(sys.path)
    yield
    monkeypatch.undo()
    time.tzset()
    for name in set(sys.modules) - modules:
        if not name.startswith("hourwheel."):
            del sys.modules[name]
    sys.path[:] = path


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """``run("jobs", "tasks.json")`` at NOW_MS."""

    def run(*words: object) -> tuple[int, str, str]:
        capsys.readouterr()
        status = main([str(word) for word in words], clock=FakeClock(NOW_MS))
        out, err = capsys.readouterr()
        return status, out, err

    return run


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """``terminal(80)``: what is written goes to a terminal without colours, so many columns wide."""

    def terminal(columns: int) -> None:
        monkeypatch.setattr(console, "_is_terminal", lambda stream: True)
        monkeypatch.setenv("COLUMNS", str(columns))
        monkeypatch.setenv("NO_COLOR", "1")

    return terminal


def job(id: str, due_ms: int, **fields: object) -> Job:
    fields.setdefault("payload", '[[1],{"text":"x"}]')
    fields.setdefault("task", "app.remind")
    return Job(id=id, due_ms=due_ms, created_ms=NOW_MS - MINUTE_MS, result_ttl_ms=DAY_MS, **fields)  # type: ignore[arg-type]


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store: soon (14 m 32 s), late (3 m 2 s), mail (in a day, other queue and task), run, done, bad."""
    path = tmp_path / "tasks.json"
    opened = JsonStore(path, durability="os", clock=FakeClock(NOW_MS))
    opened.add([job(id, NOW_MS - 10_000) for id in ("bad", "done", "run")], 0)
    bad, done, _ = opened.claim("worker-a", NOW_MS - 5_000, 3)
    failed = Failed(error=Failure("ValueError", "no", 'Traceback ...\n  File "x.py"\nValueError: no'))
    opened.settle(effects([(bad, failed), (done, Succeeded(returned='{"sent":true}'))]), NOW_MS - 2_000)
    opened.add([job("soon", NOW_MS + 872_000), job("late", NOW_MS - 182_000)], 0)
    opened.add([job("mail", NOW_MS + DAY_MS, task="app.mail", queue="mail", key="m", priority=3)], 0)
    opened.close()
    return path


APP = """
from hourwheel import Scheduler

app = Scheduler({store!r}, workers=2)


@app.task
def remind(user_id, text="x"):
    return text.upper()
"""


@pytest.fixture
def module(store: Path, tmp_path: Path) -> str:
    """The name of a module in the current directory with an app on the store."""
    (tmp_path / "shop_tasks.py").write_text(APP.format(store=str(store)))
    return "shop_tasks"
