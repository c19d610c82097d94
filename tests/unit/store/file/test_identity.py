"""Files that are moved, replaced, removed or somebody else's under a store at work: refused with what happened, or right."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from hourwheel.errors import InvalidValue, StoreError, StoreIncomplete, StoreMoved, StoreUnsafe
from hourwheel.store import JsonStore
from hourwheel.store.file.repair import accept_edit, repair, survey
from hourwheel.store.file.system.lock import DOUBT_MS
from hourwheel.store.file.system.place import place_at

from tests.kit.jobs import NOW, a_job, content
from tests.kit.systems import Watched

ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
NOBODY = 65534


def opened(path: Path, **options: object) -> JsonStore:
    return JsonStore(path, durability="os", **options)  # type: ignore[arg-type]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A directory for a store, which can be renamed."""
    home = tmp_path / "data"
    home.mkdir()
    return home


def files(home: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in home.iterdir()}


# ---- moved under its feet ----------------------------------------------------------------------------------


def rename(home: Path) -> None:
    home.rename(home.with_name("data.old"))
    home.mkdir()


def switch(home: Path) -> None:
    home.rename(home.with_name("release-1"))
    home.with_name("release-2").mkdir()
    home.symlink_to("release-2")


def remove(home: Path) -> None:
    for path in home.iterdir():
        path.unlink()


def remove_all(home: Path) -> None:
    shutil.rmtree(home)


def move_files(home: Path) -> None:
    elsewhere = home.with_name("elsewhere")
    elsewhere.mkdir()
    for path in home.iterdir():
        path.rename(elsewhere / path.name)


@pytest.mark.parametrize("how", [rename, switch, remove, remove_all, move_files])
def test_jobs_were_acknowledged_into_files_that_nobody_will_open(home: Path, how: Callable[[Path], None]) -> None:
    store = opened(home / "tasks.json")
    store.add([a_job("a")], NOW, fresh=True)
    how(home)
    for again in range(3):
        with pytest.raises(StoreMoved, match="nothing was accepted"):
            store.add([a_job(f"lost-{again}")], NOW, fresh=True)
    for verb in (
        lambda: store.add([a_job("k", key="k")], NOW),
        lambda: store.claim("me", NOW, 1),
        lambda: store.cancel(["a"], NOW),
        lambda: store.get(["a"])[0],
        lambda: store.compact(),
    ):
        with pytest.raises(StoreMoved):
            verb()
    assert not home.exists() or list(home.iterdir()) == []
    store.close()


def test_a_store_that_is_moved_back_goes_on(home: Path) -> None:
    store = opened(home / "tasks.json")
    store.add([a_job("a")], NOW, fresh=True)
    home.rename(home.with_name("away"))
    with pytest.raises(StoreMoved, match=r"is gone: .*its files are in .*away now"):
        store.add([a_job("b")], NOW, fresh=True)
    home.with_name("away").rename(home)
    store.add([a_job("c")], NOW, fresh=True)
    store.close()
    with opened_again(home / "tasks.json") as again:
        assert content(again).keys() == {"a", "c"}


def opened_again(path: Path) -> closing[JsonStore]:
    return closing(opened(path))


@pytest.mark.parametrize("call", ["open", "ftruncate", "replace", "unlink"])
@pytest.mark.parametrize("how", [rename, switch])
def test_a_compaction_wrote_over_the_store_that_was_begun_where_this_one_was(
    home: Path, call: str, how: Callable[[Path], None]
) -> None:
    """At each call of the compaction the directory is exchanged for one in which another store works."""
    number = 0
    while True:
        number += 1
        left = number
        other: list[JsonStore] = []

        def exchange(name: str, _: object, home: Path = home, other: list[JsonStore] = other) -> None:
            nonlocal left
            if watching and name == call:
                left -= 1
                if left == 0:
                    how(home)
                    other.append(opened(home / "tasks.json"))
                    other[0].add([a_job("theirs")], NOW, fresh=True)

        watching = False
        store = opened(home / "tasks.json", system=Watched(exchange))
        store.add([a_job("a")], NOW, fresh=True)
        watching = True
        try:
            store.compact()
        except StoreError:
            pass
        watching = False
        if not other:
            store.close()
            break
        with pytest.raises(StoreMoved):
            store.add([a_job("lost")], NOW, fresh=True)
        store.close()
        other[0].add([a_job("theirs, later")], NOW, fresh=True)
        assert content(other[0]).keys() == {"theirs", "theirs, later"}
        other[0].close()
        with opened_again(home / "tasks.json") as again:
            assert content(again).keys() == {"theirs", "theirs, later"}
        away = next(home.with_name(name) for name in ("data.old", "release-1") if home.with_name(name).exists())
        with opened_again(away / "tasks.json") as moved:
            assert content(moved).keys() == {"a"}
        for path in home.parent.iterdir():
            path.unlink() if path.is_symlink() else shutil.rmtree(path)
        home.mkdir()
    assert number > 1


# ---- one of the files --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["tasks.json", "tasks.json.journal.1"])
@pytest.mark.parametrize("how", ["removed", "replaced", "moved"])
def test_a_copy_was_put_back_under_a_worker_that_went_on(home: Path, name: str, how: str) -> None:
    store = opened(home / "tasks.json")
    copy = (home / name).read_bytes()
    store.add([a_job("a")], NOW, fresh=True)
    before = files(home)
    if how == "moved":
        (home / name).rename(home / "elsewhere")
    else:
        (home / name).unlink()
    if how == "replaced":
        (home / name).write_bytes(copy)
        before[name] = copy
    for verb in (lambda: store.add([a_job("b")], NOW, fresh=True), lambda: store.claim("me", NOW, 1), store.compact):
        with pytest.raises(StoreMoved):
            verb()
    store.close()
    assert {kept: data for kept, data in files(home).items() if kept in before and kept != name} == {
        kept: data for kept, data in before.items() if kept != name
    }


def test_an_older_copy_put_back_between_two_epochs_was_worked_on_as_if_it_were_the_newest(home: Path) -> None:
    store = opened(home / "tasks.json")
    copy = files(home)
    store.add([a_job("a")], NOW, fresh=True)
    store.compact()
    store._keeper.newest.epoch.seal(3)  # the compaction that was to follow was broken off by what comes now
    for path in home.iterdir():
        path.unlink()
    for name, data in copy.items():
        (home / name).write_bytes(data)
    for verb in (lambda: store.add([a_job("b")], NOW, fresh=True), lambda: store.claim("me", NOW, 1), store.compact):
        with pytest.raises(StoreMoved, match="replaced by an older copy, of epoch 1 and not 2"):
            verb()
    store.close()
    assert files(home) == copy


def test_an_older_copy_of_the_journal_copied_over_it_in_place_took_new_jobs_behind_a_hole(home: Path) -> None:
    store, journal = opened(home / "tasks.json"), home / "tasks.json.journal.1"
    copy = journal.read_bytes()
    store.add([a_job("a")], NOW, fresh=True)
    with journal.open("r+b") as file:
        file.write(copy)
    with pytest.raises(StoreMoved, match="its last record is gone"):
        store.add([a_job("b")], NOW, fresh=True)
    journal.write_bytes(b"")
    with pytest.raises(StoreMoved):
        store.add([a_job("b")], NOW, fresh=True)
    store.close()


def test_a_snapshot_written_over_in_place_was_read_as_if_nothing_had_happened(home: Path) -> None:
    store = opened(home / "tasks.json")
    store.add([a_job("a")], NOW)
    store.compact()
    with (home / "tasks.json").open("r+b") as file:
        file.write(b"{}")
    os.utime(home / "tasks.json", ns=(1, 1))
    for verb in (lambda: store.get(["a"])[0], lambda: store.claim("me", NOW, 1)):
        with pytest.raises(StoreMoved, match="written over in place"):
            verb()
    store.close()


def test_a_lock_that_was_removed_let_two_write_at_once(home: Path) -> None:
    here, there = opened(home / "tasks.json"), opened(home / "tasks.json")
    (home / "tasks.json.lock").rename(home / "away")
    for number, store in enumerate((here, there, here, there)):
        store.add([a_job(f"job-{number}")], NOW, fresh=True)
    assert content(here).keys() == content(there).keys() == {f"job-{number}" for number in range(4)}
    assert os.fstat(here._keeper.newest.lock._fd).st_ino == os.fstat(there._keeper.newest.lock._fd).st_ino
    here.close()
    there.close()


def test_hard_links_made_two_stores_of_one_file(home: Path) -> None:
    store = opened(home / "tasks.json")
    store.add([a_job("a")], NOW, fresh=True)
    os.link(home / "tasks.json.journal.1", home / "copy.json.journal.1")
    with pytest.raises(StoreMoved, match="hard links"):
        store.add([a_job("b")], NOW, fresh=True)
    (home / "copy.json.journal.1").unlink()
    os.link(home / "tasks.json", home / "copy.json")
    with pytest.raises(StoreUnsafe, match="2 names"):
        opened(home / "copy.json")
    store.add([a_job("c")], NOW, fresh=True)
    store.close()


def test_one_who_holds_a_store_of_which_another_took_the_place_never_takes_it_for_his_own(home: Path) -> None:
    store = opened(home / "tasks.json")
    store.add([a_job("a")], NOW)
    remove(home)
    other = opened(home / "tasks.json")
    other.add([a_job("theirs")], NOW)
    store._keeper._trouble = store._keeper._reread  # as after Ctrl-C
    with pytest.raises(StoreMoved, match="replaced by another store"):
        store.add([a_job("b")], NOW, fresh=True)
    store.close()
    assert content(other).keys() == {"theirs"}
    other.close()


def test_clean_up_removes_the_files_of_its_own_store_only(home: Path) -> None:
    store = opened(home / "tasks.json")
    store.add([a_job("a")], NOW)
    theirs = b'00000000 000000 {"journal":"hourwheel","version":1,"store_id":"theirs","epoch":0,"after":0}\n'
    (home / "tasks.json.journal.0").write_bytes(theirs)
    store.compact()
    assert (home / "tasks.json.journal.0").read_bytes() == theirs
    (home / "tasks.json.journal.3").write_bytes(theirs)
    with pytest.raises(StoreError, match="belongs to another store"):
        store.compact()
    assert (home / "tasks.json.journal.3").read_bytes() == theirs
    store.add([a_job("b")], NOW)
    store.close()


# ---- missing files -----------------------------------------------------------------------------------------


@pytest.mark.usefixtures("not_folded")
def test_a_store_copied_without_its_journal_was_empty_and_called_sound(home: Path) -> None:
    store = opened(home / "tasks.json")
    store.add([a_job("a")], NOW)
    store.close()
    (home / "tasks.json.journal.1").unlink()
    before = files(home)
    with pytest.raises(StoreIncomplete, match=r"journal\.1 is missing.*hourwheel repair"):
        opened(home / "tasks.json")
    assert survey(home / "tasks.json").lost_journal == str(home / "tasks.json.journal.1")
    assert files(home) == before
    repaired = repair(home / "tasks.json")
    assert repaired.output is not None
    with opened_again(Path(repaired.output)) as again:
        assert content(again) == {}


def test_a_closed_store_is_one_file_that_can_be_copied_and_opened(home: Path) -> None:
    store = opened(home / "tasks.json")
    store.add([a_job("a"), a_job("b")], NOW)
    [claim] = store.claim("me", NOW, 1)
    store.close()
    assert {path.name for path in home.iterdir()} - {"tasks.json.owner.me"} == {"tasks.json", "tasks.json.lock"}
    (home / "copy").mkdir()
    shutil.copy(home / "tasks.json", home / "copy" / "tasks.json")
    with opened_again(home / "copy" / "tasks.json") as copy:
        assert content(copy)[claim.job.id].owner == "me"
        assert copy.check() == []
        copy.add([a_job("c")], NOW, fresh=True)
        (home / "copy" / "tasks.json.journal.3").unlink()
        with pytest.raises(StoreMoved):
            copy.add([a_job("d")], NOW, fresh=True)
    with pytest.raises(StoreIncomplete):  # something was accepted since, so the one file is not all of it
        opened(home / "copy" / "tasks.json")


def test_closing_folds_nothing_while_another_has_the_store_open(home: Path) -> None:
    here, there = opened(home / "tasks.json"), opened(home / "tasks.json")
    here.add([a_job("a")], NOW, fresh=True)
    here.close()
    assert (home / "tasks.json.journal.1").exists()
    there.add([a_job("b")], NOW, fresh=True)
    there.close()
    assert b'"whole":true' in (home / "tasks.json").read_bytes()
    with opened_again(home / "tasks.json") as again:
        assert content(again).keys() == {"a", "b"}


# ---- owner and mode ----------------------------------------------------------------------------------------


@ROOT
def test_what_root_did_to_the_store_of_a_service_locked_the_service_out(home: Path) -> None:
    os.chown(home, NOBODY, NOBODY)
    store = opened(home / "tasks.json")  # a deploy script makes it, say
    store.add([a_job("a")], NOW)
    store.claim("me", NOW, 1)
    store.compact()
    owners = {path.name: (path.stat().st_uid, path.stat().st_gid) for path in home.iterdir()}
    assert set(owners.values()) == {(NOBODY, NOBODY)}, owners
    store.close()


def test_a_group_that_may_read_the_store_still_may_after_a_compaction(home: Path) -> None:
    store = opened(home / "tasks.json")
    (home / "tasks.json").chmod(0o640)
    store.add([a_job("a")], NOW)
    store.compact()
    assert stat.S_IMODE((home / "tasks.json").stat().st_mode) == 0o640
    assert stat.S_IMODE((home / "tasks.json.journal.2").stat().st_mode) == 0o640
    store.close()


@ROOT
@pytest.mark.parametrize("name", ["tasks.json", "tasks.json.lock"])
def test_a_store_laid_out_by_somebody_else_in_a_sticky_directory_was_used(home: Path, name: str) -> None:
    opened(home / "tasks.json").close()
    os.chown(home / name, NOBODY, NOBODY)
    home.chmod(0o1777)
    with pytest.raises(StoreUnsafe, match="belongs to"):
        opened(home / "tasks.json")


# ---- life signs --------------------------------------------------------------------------------------------


def test_a_worker_whose_sign_was_cleaned_away_lost_its_running_jobs_to_another(home: Path) -> None:
    worker, other = opened(home / "tasks.json"), opened(home / "tasks.json")
    worker.add([a_job("long")], NOW)
    assert len(worker.claim("worker", NOW, 1)) == 1
    (home / "tasks.json.owner.worker").unlink()
    assert other.claim("other", NOW + 1000, 1) == []
    assert worker.claim("worker", NOW + 1500, 0) == []  # its tick
    for later in (2000, DOUBT_MS + 1000, DOUBT_MS * 9):
        assert other.claim("other", NOW + later, 1) == []
    worker.close()
    other.close()


def test_a_worker_that_died_without_leaving_a_sign_is_found_out(home: Path) -> None:
    store = opened(home / "tasks.json")
    store.add([a_job("a", NOW - 100_000)], NOW)
    store.claim("worker", NOW, 1)
    store._keeper.newest.signs.close(remove=True)
    assert store.claim("other", NOW + 5000, 1) == []
    assert store.claim("other", NOW - 60_000, 1) == []  # the clock is set back
    assert [claim.job.id for claim in store.claim("other", NOW - 60_000 + DOUBT_MS, 1)] == ["a"]
    store.close()


# ---- names -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["a\0b", "\ud800.json", "", b"tasks.json", 7, None])
def test_a_name_that_no_file_can_have_is_refused_in_our_words(path: object) -> None:
    for use in (JsonStore, repair, survey, accept_edit, place_at):
        with pytest.raises(InvalidValue, match="path must be"):
            use(path)  # type: ignore[operator]
