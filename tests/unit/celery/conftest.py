"""An app over a store in memory, whose jobs a test runs with run()."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hourwheel.celery import Celery
from hourwheel.store import MemoryStore
from hourwheel.tasks.default_app import set_default
from hourwheel.testing import FakeClock


@pytest.fixture
def app() -> Iterator[Celery]:
    app = Celery("proj", store=MemoryStore(), clock=FakeClock())
    yield app
    app.close()
    set_default(None)


@pytest.fixture
def run(app: Celery) -> Callable[[float], Any]:
    """Run what is due now or after so many seconds, until nothing is."""

    def run(seconds: float = 0.0) -> None:
        app._machine_clock.advance(seconds)  # type: ignore[attr-defined]
        while app.run_due():
            pass

    return run
