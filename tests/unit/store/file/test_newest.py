"""The newest epoch: what is left open, locked or lost when it cannot be opened, or read again. Nothing is."""

from __future__ import annotations

import errno
import fcntl
import os
import re

import pytest
from hourwheel.errors import StoreBusy, StoreError, StoreFull

from tests.kit.forms import new_store
from tests.kit.jobs import NOW, a_job, content, epoch_of, some_jobs
from tests.kit.memory_system import DIRECTORY
from tests.kit.recording import Recording, failing

PATH = f"{DIRECTORY}/tasks.json"
IDS = [job.id for job in some_jobs(3)]


@pytest.fixture
def system() -> Recording:
    """With a closed store."""
    system = Recording()
    store = new_store(system)
    store.add(some_jobs(3), NOW)
    store.close()
    assert system.open_count() == 0
    return system


@pytest.mark.parametrize(("number", "kind"), [(errno.EIO, StoreError), (errno.ENOSPC, StoreFull)])
def test_a_store_that_the_disk_keeps_from_being_opened_says_so_in_our_words_and_opens_when_the_disk_works_again(
    system: Recording, number: int, kind: type[StoreError]
) -> None:
    system.fails = failing("fsync", number)
    with pytest.raises(StoreError, match=re.escape(f"{PATH} cannot be opened: {os.strerror(number)}")) as caught:
        new_store(system)
    assert type(caught.value) is kind
    assert system.open_count() == 0
    system.fails = lambda name, args: None
    assert list(content(new_store(system))) == IDS


def test_a_whole_store_is_not_opened_while_another_process_begins_its_next_epoch_and_keeps_nobody_out_after_it(
    system: Recording,
) -> None:
    other = system.open(f"{PATH}.next", os.O_CREAT, 0o600)
    system.flock(other, fcntl.LOCK_EX)
    with pytest.raises(StoreBusy, match="another process is beginning a new epoch; try again"):
        new_store(system)
    assert system.open_count() == 1
    system.close(other)
    assert list(content(new_store(system))) == IDS


@pytest.mark.usefixtures("not_folded")
def test_a_seal_that_cannot_be_lifted_while_a_store_is_read_again_costs_one_call_and_no_descriptor() -> None:
    system = Recording()
    here, there = new_store(system), new_store(system)
    here.add(some_jobs(3), NOW)
    there.stats(NOW)
    epoch_of(there).seal(2)  # and it dies before that epoch is there
    before = system.open_count()
    here._keeper.doubt()
    system.fails = failing("pwrite", errno.EIO)
    with pytest.raises(StoreError, match="Input/output error"):
        here.add([a_job("new")], NOW)
    assert system.open_count() == before
    system.fails = lambda name, args: None
    assert new_store(system).add([a_job("another's")], NOW, fresh=True) == ["another's"]
    here.add([a_job("new")], NOW)
    assert content(here).keys() == {*IDS, "another's", "new"}
    assert epoch_of(here).number > 1, "what was read when a write had failed is written anew"
    assert epoch_of(here).sealed is None


@pytest.mark.usefixtures("not_folded")
def test_a_sync_that_failed_while_a_store_was_read_again_was_forgotten_and_the_kernel_tells_it_once() -> None:
    system = Recording()
    here, there = new_store(system, durability="sync"), new_store(system, durability="sync")
    here.add(some_jobs(3), NOW)
    there.stats(NOW)
    here._keeper.doubt()
    system.fails = failing("fdatasync", errno.EIO)
    with pytest.raises(StoreError, match="Input/output error"):
        here.add([a_job("refused")], NOW)
    system.fails = lambda name, args: None
    here.add([a_job("new")], NOW)
    assert epoch_of(here).number > 1, "what is read from the journal then may not be on the disk"
    assert content(there).keys() == {*IDS, "new"}
    assert epoch_of(there).number == epoch_of(here).number
