"""A signal's handler that adds a job while the journal is synced: nobody hangs, and nothing is called durable too soon."""

from __future__ import annotations

import errno
import os

import pytest
from hourwheel.errors import StoreUncertain
from hourwheel.store import JsonStore

from tests.kit.forms import new_store
from tests.kit.jobs import NOW, a_job, content, epoch_of


def interrupted(*, fails: bool = False) -> tuple[JsonStore, list[int]]:
    """A store, and where its journal ended at each sync. In the first a handler adds a job; the second may fail."""
    store, ends = new_store(durability="sync"), list[int]()
    store.add([a_job("before")], NOW)
    journal = epoch_of(store).journal

    def sync(fd: int) -> None:
        ends.append(journal.end)
        if len(ends) == 1:
            assert store.add([a_job("the-handlers")], NOW, fresh=True) == ["the-handlers"]
        elif fails:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    journal._fdatasync = sync  # type: ignore[method-assign,assignment]
    return store, ends


def test_a_job_that_a_handler_adds_during_the_sync_of_a_change_is_on_the_disk_when_the_change_is_acknowledged() -> None:
    store, ends = interrupted()
    store.cancel(["before"], NOW)
    journal = epoch_of(store).journal
    assert ends[0] < ends[1] == journal.end == journal.synced
    assert len(ends) == 2
    assert content(store).keys() == {"before", "the-handlers"}


def test_a_sync_that_fails_after_its_handler_has_returned_is_said_and_trusted_by_nobody(
    caplog: pytest.LogCaptureFixture,
) -> None:
    store, _ = interrupted(fails=True)
    store.cancel(["before"], NOW)
    assert "a change requested by a signal handler failed" in caplog.text
    with pytest.raises(StoreUncertain, match="an earlier write or sync failed"):
        store.add([a_job("next")], NOW)
    assert content(store).keys() == {"before", "the-handlers", "next"}
    assert epoch_of(store).number == 2, "what was not synced must be written anew, into a new epoch"
