"""A scene: a store at work, mischief at one moment of it, and what everybody does and finds afterwards."""

from __future__ import annotations

import logging
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final

from hourwheel.errors import HourwheelError
from hourwheel.store import JsonStore
from hourwheel.store.file.repair import survey
from hourwheel.store.file.store import Durability

from tests.kit.jobs import NOW, StoppedClock, a_job, content
from tests.kit.systems import Watched
from tests.kit.unfolded import unfolded

from .mischief import ALL, IN_PLACE, NOBODY, Site

_LATER: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Mischief between two verbs, or before one call of a compaction or of a close."""

    mischief: str
    durability: Durability = "os"
    verb: int = 0
    during: str = ""
    call: int = 0

    def __str__(self) -> str:
        when = f"before call {self.call} of {self.during}" if self.during else f"before verb {self.verb}"
        return f"{self.mischief}, {when}, {self.durability}"


@dataclass(slots=True)
class Verdict:
    """What a case came to."""

    wrong: str = ""
    refused: str = ""
    """The first error of ours, by its kind."""
    in_the_window: bool = False
    """It came after the last look at the names, just before the call that renames or removes one.
    The owner is looked at as a compaction begins, and put right by the next."""


GIVEN: Final = ("the store is given to another user", "the store is opened to a group")


@dataclass(slots=True)
class _Play:
    site: Site
    case: Case
    acknowledged: set[str] = field(default_factory=set)
    verdict: Verdict = field(default_factory=Verdict)
    done: bool = False
    calls: int = 0
    watching: bool = False
    other: JsonStore | None = None
    theirs: set[str] = field(default_factory=set)
    claimed: set[str] = field(default_factory=set)

    # ---- the mischief ------------------------------------------------------------------------------------

    def before(self, name: str, args: tuple[Any, ...]) -> None:
        if self.watching:
            self.calls += 1
            if self.calls == self.case.call:
                self.watching = False
                looked = self.case.during == "compact" or name == "open"  # a close looks just before it makes the file
                owner = looked and self.case.mischief in GIVEN
                self.verdict.in_the_window = name in ("replace", "unlink") or owner
                self.strike()

    def strike(self) -> None:
        """Do it; and if it leaves an empty place, begin another store there and let it work."""
        self.done = True
        ALL[self.case.mischief](self.site)
        if self.site.begins_anew:
            self.other = opened(self.site.home)
            self.other.add([a_job("theirs-1"), a_job("theirs-2")], NOW)
            self.theirs = {"theirs-1", "theirs-2"}

    # ---- what is done ------------------------------------------------------------------------------------

    def do(self, verb: str, *args: Any, adds: tuple[str, ...] = (), store: JsonStore, **options: Any) -> Any:
        """A verb of ours; what it adds counts as acknowledged unless it is refused."""
        try:
            answer = getattr(store, verb)(*args, **options)
        except HourwheelError as refusal:
            self.verdict.refused = self.verdict.refused or type(refusal).__name__
            return None
        except Exception as error:
            self.wrong(f"{verb} raised {error!r:.200}")
            return None
        self.acknowledged |= set(adds)
        return answer

    def wrong(self, what: str) -> None:
        self.verdict.wrong = self.verdict.wrong or what

    def work(self) -> None:
        """All verbs, the mischief at its moment, and all verbs once more."""
        store = opened(self.site.home, Watched(self.before), self.case.durability)
        for number in range(6):
            if not self.case.during and number == self.case.verb:
                self.strike()
            self._verb(number, store)
        if self.case.during == "compact":
            self._watched("compact", store)
        for number in range(6, 12):
            self._verb(number, store)
        if self.other is not None:
            self.other.add([a_job("theirs-3")], NOW)
            self.theirs.add("theirs-3")
        if self.case.mischief == "the life signs are removed":
            self._rival(store)
        if self.case.during == "close":
            self._watched("close", store)
        with unfolded() if self.case.mischief in IN_PLACE else nullcontext():
            self.do("close", store=store)

    def _rival(self, store: JsonStore) -> None:
        """While a worker ticks, nobody else is given what it has claimed."""
        rival = opened(self.site.home)
        for late in (1_000, 2_000, 8_000):
            taken = {claim.job.id for claim in rival.claim("rival", NOW + late, 100)}
            if taken & self.claimed:
                self.wrong(f"{sorted(taken & self.claimed)} were claimed by another while their worker lives")
            self.do("claim", "worker", NOW + late, 0, store=store)
        rival.close()

    def _watched(self, verb: str, store: JsonStore) -> None:
        self.watching = True
        self.do(verb, store=store)
        self.watching = False

    def _verb(self, number: int, store: JsonStore) -> None:
        name = f"job-{number}"
        match number % 6:
            case 0:
                self.do("add", [a_job(name)], NOW, fresh=True, adds=(name,), store=store)
            case 1:
                self.do("add", [a_job(name), a_job(f"{name}-b")], NOW, adds=(name, f"{name}-b"), store=store)
            case 2:
                claims = self.do("claim", "worker", NOW + number, 1, store=store) or []
                self.claimed |= {claim.job.id for claim in claims}
            case 3:
                self.do("add", [a_job(name, key="k")], NOW, on_conflict="keep", adds=(), store=store)
            case 4:
                self.do("get", ["first"], store=store)
                self.do("add", [a_job(name)], NOW, fresh=True, adds=(name,), store=store)
            case _:
                if self.case.mischief not in IN_PLACE:  # a new epoch, from what is in memory, would mend it
                    self.do("compact", store=store)


def opened(home: Path, system: Any = None, durability: Durability = "os") -> JsonStore:
    """A store that loses no time."""
    options: dict[str, Any] = {} if system is None else {"system": system}
    return JsonStore(home / "tasks.json", durability=durability, lock_timeout_s=0.2, clock=StoppedClock(), **options)


def play(case: Case) -> Verdict:
    """Play one case, and judge what is left."""
    with _stage() as site:
        one = _Play(site, case)
        one.acknowledged = {"first", "second"}
        try:
            one.work()
            _judge(one)
        finally:
            if one.other is not None:
                one.other.close()
        return one.verdict


@cache
def calls_of(what: str) -> int:
    """How many system calls a compaction or a close makes while nothing happens."""
    with _stage() as site:
        one = _Play(site, Case(mischief="", during=what, call=-1))
        one.work()
        return one.calls


@contextmanager
def _stage() -> Iterator[Site]:
    """A store, an older copy of it, and another store."""
    root = Path(tempfile.mkdtemp(prefix="hourwheel-files-"))
    logging.disable()
    try:
        site = Site(root)
        for path in (site.home, site.stranger):
            path.mkdir()
        with unfolded():
            for path, name in ((site.home, "first"), (site.stranger, "strange")):
                store = opened(path)
                store.add([a_job(name)], NOW)
                store.close()
            shutil.copytree(site.home, site.copy)
            store = opened(site.home)
            store.add([a_job("second")], NOW)
            store.close()
        yield site
    finally:
        logging.disable(logging.NOTSET)
        shutil.rmtree(root)


# ---- judging -----------------------------------------------------------------------------------------------


def _judge(one: _Play) -> None:
    site = one.site
    for path, data in site.theirs.items():
        if not path.exists() or path.read_bytes() != data:
            one.wrong(f"{path.name} of another store was changed")
    if one.other is not None and content(one.other).keys() != one.theirs:
        one.wrong("the store that was begun there has lost jobs")
    found: set[str] = set()
    for place in (site.home, site.moved):
        if place is not None and not (place == site.home and site.moved is not None):
            found |= _held(one, place)
    if missing := _wanted(one) - found:
        one.wrong(f"acknowledged, and not there: {sorted(missing)}")
    _judge_owners(one)


def _wanted(one: _Play) -> set[str]:
    """What must be there: what was acknowledged; where files were destroyed, what was acknowledged after that."""
    if not one.site.lost:
        return one.acknowledged
    since = {"": one.case.verb, "compact": 6, "close": 12}[one.case.during]
    return {id for id in one.acknowledged if id.startswith("job-") and int(id.split("-")[1]) >= since}


def _held(one: _Play, place: Path) -> set[str]:
    """The jobs of the store at a place, or, if it is refused, those that repair reads there."""
    if not (place / "tasks.json").exists():
        return set()
    try:
        store = opened(place)
    except HourwheelError as refusal:
        one.verdict.refused = one.verdict.refused or type(refusal).__name__
        with suppress(HourwheelError, OSError):
            return set(survey(place / "tasks.json").state.rows)
        return set()
    except Exception as error:
        one.wrong(f"opening raised {error!r:.200}")
        return set()
    try:
        if store.check():
            one.wrong(f"check: {store.check()[0]}")
        held = set(content(store))
        _judge_signs(one, store)
        return held
    finally:
        store.close()


def _judge_signs(one: _Play, store: JsonStore) -> None:
    """The jobs of a worker that has ended are free, at once or after a doubt, and each is claimed once."""
    claimed = [claim.job.id for late in (0, _LATER) for claim in store.claim("next", NOW + 100 + late, 100)]
    if len(claimed) != len(set(claimed)):
        one.wrong(f"claimed twice: {claimed}")


def _judge_owners(one: _Play) -> None:
    """What was written after the store was given away, or opened to a group, is as the snapshot is."""
    if os.geteuid() != 0:
        return
    wanted = {"the store is given to another user": (NOBODY, 0o600), "the store is opened to a group": (0, 0o660)}
    if one.case.mischief not in wanted:
        return
    for path in one.site.files(""):
        status = path.stat()
        is_as_told = (status.st_uid, stat.S_IMODE(status.st_mode)) == wanted[one.case.mischief]
        if path.name == "tasks.json" and not is_as_told:
            one.wrong(f"{path.name} has another owner or mode: {status.st_uid}, {stat.S_IMODE(status.st_mode):o}")
