"""Backing: which store is behind a scheduler, before, while and after it is open."""

from __future__ import annotations

import pytest
from hourwheel import Scheduler, SchedulerError
from hourwheel.scheduler.backing import Backing
from hourwheel.settings.conf import Conf
from hourwheel.store import MemoryStore
from hourwheel.testing import FakeClock


def test_a_store_that_was_given_is_used_and_never_released() -> None:
    store = MemoryStore()
    backing = Backing(Conf(arguments={"store": "elsewhere.json"}), FakeClock(), store)
    assert (backing.open(), backing.url, backing.release(), backing.store) == (store, None, None, store)


def test_a_store_that_was_opened_is_released_once_and_opened_anew() -> None:
    backing = Backing(Conf(arguments={"store": "memory:"}), FakeClock())
    assert (backing.url, backing.store, backing.release()) == ("memory:", None, None)
    first = backing.open()
    assert backing.open() is first
    assert (backing.release(), backing.release(), backing.store) == (first, None, None)
    assert backing.open() is not first


def test_another_store_is_refused_while_one_is_open_that_was_opened_here() -> None:
    conf = Conf(arguments={"store": "memory:"})
    backing = Backing(conf, FakeClock())
    backing.change(running=False)
    backing.open()
    with pytest.raises(SchedulerError, match="the store is open"):
        backing.change(running=False)
    backing.release()
    conf.store = "memory:?max_pending=1"
    backing.change(running=False)
    assert backing.url == "memory:?max_pending=1"


def test_a_store_that_was_given_can_be_exchanged_until_the_scheduler_runs() -> None:
    app = Scheduler(MemoryStore())
    other = MemoryStore()
    app.conf.store = other
    assert app.store is other
    with app, pytest.raises(SchedulerError, match="the store is open"):
        app.conf.store = MemoryStore()
    assert app.store is other
