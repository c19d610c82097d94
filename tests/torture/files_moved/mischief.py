"""What somebody may do to the files of a store while a process has them open."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

NOBODY: Final = 65534
Mischief = Callable[["Site"], None]
ALL: Final[dict[str, Mischief]] = {}


class Site:
    """A directory ``data`` with a store, an older copy of that store, and what was done to them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.home = root / "data"
        self.copy = root / "copy"
        self.stranger = root / "stranger"
        self.moved: Path | None = None
        """Where the store is now, if that is not where it was."""
        self.begins_anew = False
        """Whether another process finds an empty place, and begins a store there."""
        self.lost = False
        """Whether files were destroyed, so that only what is acknowledged afterwards must be there."""
        self.theirs: dict[Path, bytes] = {}
        """Files of another store, which must stay as they are."""

    def files(self, ending: str) -> list[Path]:
        """Those of the store whose names end, or go on, so."""
        return sorted(path for path in self.home.iterdir() if path.name.startswith(f"tasks.json{ending}"))


def _mischief(do: Mischief) -> Mischief:
    ALL[do.__name__.replace("_", " ")] = do
    return do


# ---- the directory -----------------------------------------------------------------------------------------


@_mischief
def the_directory_is_renamed(site: Site) -> None:
    site.moved = site.root / "away"
    site.home.rename(site.moved)


@_mischief
def the_directory_is_renamed_and_another_store_begun(site: Site) -> None:
    the_directory_is_renamed(site)
    site.home.mkdir()
    site.begins_anew = True


@_mischief
def a_link_to_the_directory_is_switched(site: Site) -> None:
    site.moved = site.root / "release-1"
    site.home.rename(site.moved)
    (site.root / "release-2").mkdir()
    site.home.symlink_to("release-2")
    site.begins_anew = True


@_mischief
def the_directory_is_renamed_and_back(site: Site) -> None:
    site.home.rename(site.root / "away")
    (site.root / "away").rename(site.home)


@_mischief
def another_store_is_moved_into_its_place(site: Site) -> None:
    the_directory_is_renamed(site)
    shutil.copytree(site.stranger, site.home)
    site.theirs = {path: path.read_bytes() for path in site.home.iterdir()}


# ---- all files ---------------------------------------------------------------------------------------------


@_mischief
def all_files_are_moved_elsewhere(site: Site) -> None:
    site.moved = site.root / "elsewhere"
    site.moved.mkdir()
    for path in site.files(""):
        path.rename(site.moved / path.name)


@_mischief
def all_files_are_moved_and_another_store_stands_there(site: Site) -> None:
    all_files_are_moved_elsewhere(site)
    for path in site.stranger.iterdir():
        shutil.copy(path, site.home / path.name)
    site.theirs = {path: path.read_bytes() for path in site.home.iterdir()}


@_mischief
def all_files_are_removed(site: Site) -> None:
    site.lost = True
    for path in site.files(""):
        path.unlink()


@_mischief
def an_older_copy_of_all_files_is_put_back(site: Site) -> None:
    site.moved = site.root / "newest"
    site.moved.mkdir()
    for path in site.files(""):
        path.rename(site.moved / path.name)
    for path in site.copy.iterdir():
        shutil.copy(path, site.home / path.name)
    site.theirs = {path: path.read_bytes() for path in site.home.iterdir()}


# ---- one file ----------------------------------------------------------------------------------------------


@_mischief
def the_journal_is_removed(site: Site) -> None:
    for path in site.files(".journal"):
        path.rename(site.root / f"kept.{path.name}")
    site.lost = True


@_mischief
def the_journal_is_replaced_by_an_older_copy(site: Site) -> None:
    for path in site.files(".journal"):
        older = site.copy / path.name
        if older.exists():
            path.unlink()
            shutil.copy(older, path)
    site.lost = True


@_mischief
def the_journal_is_linked(site: Site) -> None:
    for path in site.files(".journal"):
        os.link(path, site.root / f"linked.{path.name}")


@_mischief
def the_snapshot_is_replaced_by_an_older_copy(site: Site) -> None:
    shutil.copy(site.copy / "tasks.json", site.home / "put-back")
    (site.home / "put-back").replace(site.home / "tasks.json")
    site.lost = True


@_mischief
def the_snapshot_is_replaced_by_that_of_another_store(site: Site) -> None:
    shutil.copy(site.stranger / "tasks.json", site.home / "put-back")
    (site.home / "put-back").replace(site.home / "tasks.json")
    site.lost = True
    site.theirs = {site.home / "tasks.json": (site.stranger / "tasks.json").read_bytes()}


@_mischief
def the_snapshot_is_linked(site: Site) -> None:
    os.link(site.home / "tasks.json", site.root / "linked.json")


@_mischief
def the_lock_is_removed(site: Site) -> None:
    (site.home / "tasks.json.lock").unlink()


@_mischief
def the_lock_is_moved_away(site: Site) -> None:
    (site.home / "tasks.json.lock").rename(site.root / "lock")


@_mischief
def index_and_unfinished_snapshot_are_removed(site: Site) -> None:
    for path in [*site.files(".index"), *site.files(".next")]:
        path.unlink()


@_mischief
def the_life_signs_are_removed(site: Site) -> None:
    for path in site.files(".owner"):
        path.unlink()


@_mischief
def a_journal_of_another_store_stands_in_the_way(site: Site) -> None:
    text = next(site.stranger.glob("tasks.json.journal.*")).read_bytes()
    for number in (0, 2, 3):
        path = site.home / f"tasks.json.journal.{number}"
        if not path.exists():
            path.write_bytes(text)
            site.theirs[path] = text


# ---- owner and mode ----------------------------------------------------------------------------------------


@_mischief
def the_store_is_given_to_another_user(site: Site) -> None:
    if os.geteuid() == 0:
        for path in site.files(""):
            os.chown(path, NOBODY, NOBODY)


@_mischief
def the_store_is_opened_to_a_group(site: Site) -> None:
    for path in site.files(""):
        path.chmod(0o660)


# ---- written over in place ---------------------------------------------------------------------------------


@_mischief
def the_journal_is_written_over_by_an_older_copy(site: Site) -> None:
    for path in site.files(".journal"):
        older = site.copy / path.name
        if older.exists():
            shutil.copyfile(older, path)
    site.lost = True


@_mischief
def the_journal_is_cut_to_nothing(site: Site) -> None:
    for path in site.files(".journal"):
        os.truncate(path, 0)
    site.lost = True


IN_PLACE: Final = ("the journal is written over by an older copy", "the journal is cut to nothing")
"""What changes bytes of open files, and so can be seen after the fact only."""
