"""The store that is harmed: a snapshot and a journal of 64 KiB together, its files as bytes, and what it holds when."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Final

from hourwheel.job import Failed, Failure, Job, Released, Retried, Snoozed, Succeeded
from hourwheel.payload import encode, encode_call
from hourwheel.store import JsonStore
from hourwheel.store.file.system.place import Place
from hourwheel.turn import effects

from tests.kit.jobs import NOW, StoppedClock, content, epoch_of
from tests.kit.memory_system import DIRECTORY, MemorySystem

SIZE: Final = 64 * 1024
NAME: Final = "tasks.json"
PLACE: Final = Place(f"{DIRECTORY}/{NAME}")
LOCK: Final = "tasks.json.lock"
EPOCH: Final = 2
JOURNAL: Final = f"tasks.json.journal.{EPOCH}"
INDEX: Final = f"tasks.json.index.{EPOCH}"
_DAY_MS: Final = 86_400_000
_SNAPSHOT_SHARE: Final = 0.88
"""A flip in the snapshot is found at once, one in the journal after the records before it have been applied."""
_BLANK_LEAST: Final = 300
_LAST_BYTES: Final = 1_500
"""Room for the last three changes."""
_TTL_MS: Final = 1 << 50

Content = dict[str, Job]


@dataclass(slots=True)
class Specimen:
    """A closed store, all of it synced.

    The history is what ``check`` and ``scan`` said after each change since the snapshot; ``ends[n]`` is where in the
    journal the n-th change ended, ``contents[n]`` what the store held then. The first is that of the snapshot alone.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    ends: list[int] = field(default_factory=list)
    contents: list[Content] = field(default_factory=list)
    older_journal: bytes = b""
    """That of the epoch before, which a disk may give back where the newer one should be."""

    @property
    def journal(self) -> bytes:
        """The journal, with the blank room behind its records."""
        return self.files[JOURNAL]

    @property
    def snapshot(self) -> bytes:
        """The snapshot."""
        return self.files[NAME]

    @property
    def content(self) -> Content:
        """What the store holds."""
        return self.contents[-1]

    def but(self, name: str, data: bytes) -> dict[str, bytes]:
        """The files, one of them changed."""
        return {**self.files, name: data}

    def whole_before(self, at: int) -> int:
        """How many changes were written when the journal had ``at`` bytes; a line feed may be missing."""
        return max(n for n, end in enumerate(self.ends) if n == 0 or end - 1 <= at)


def make_specimen(seed: int, size: int = SIZE) -> Specimen:
    """A store of exactly ``size`` bytes: payloads of all kinds, jobs in every state, records of every operation."""
    return _Maker(random.Random(seed), size).make()


class _Maker:
    """Does to a store what programs do, and notes what it holds after each change."""

    def __init__(self, choose: random.Random, size: int) -> None:
        self._choose = choose
        self._size = size
        self._disk = MemorySystem()
        self._store = JsonStore(PLACE.path, durability="os", clock=StoppedClock(), system=self._disk)  # type: ignore[arg-type]
        self._made = Specimen()
        self._count = 0
        self._longest = 60

    def make(self) -> Specimen:
        self._before_snapshot()
        self._made.older_journal = self._disk.files()["tasks.json.journal.1"]
        self._store.compact()
        self._longest = 900
        room = self._size - len(self._disk.files()[NAME]) - _BLANK_LEAST
        self._note()
        while self._journal_end() < room - 3 * 1024:
            self._some_change()
        self._last_changes(room)
        return self._taken()

    # ---- what is done ------------------------------------------------------------------------------------

    def _before_snapshot(self) -> None:
        target = int(self._size * _SNAPSHOT_SHARE)
        while epoch_of(self._store).journal.end < target:
            self._store.add([self._job()], NOW, fresh=True)
            if self._count % 40 == 0:
                self._run_some()

    def _some_change(self) -> None:
        match self._choose.randrange(6):
            case 0:
                self._store.add([self._job() for _ in range(self._choose.randrange(2, 4))], NOW, fresh=True)
            case 1:
                self._run_some()
                return
            case 2:
                self._store.cancel([self._choose.choice(self._scheduled())], NOW + 5, reason="no longer wanted")
            case 3:
                self._store.reschedule([self._choose.choice(self._scheduled())], NOW + 5 * _DAY_MS, NOW + 6)
            case _:
                self._store.add([self._job()], NOW, fresh=True)
        self._note()

    def _run_some(self) -> None:
        claims = self._store.claim(f"worker-{self._choose.randrange(3)}", NOW + self._count, 3)
        self._note()
        settled = [(claim, self._outcome()) for claim in claims[:-1]]
        if settled:
            self._store.settle(effects(settled), NOW + self._count + 1)
            self._note()

    def _last_changes(self, room: int) -> None:
        """One change as long as there is room, one of three records, two of one."""
        filler = encode_call(("x" * (room - self._journal_end() - _LAST_BYTES),), {})
        self._store.add([Job(id="filler", task="app.remind", due_ms=NOW, payload=filler)], NOW, fresh=True)
        self._note()
        self._longest = 60
        self._store.add([self._job() for _ in range(3)], NOW, fresh=True)
        self._note()
        self._store.reschedule([self._scheduled()[0]], NOW + 7 * _DAY_MS, NOW + 6)
        self._note()
        self._store.add([self._job()], NOW, fresh=True)
        self._note()

    def _job(self) -> Job:
        self._count += 1
        choose = self._choose
        odd = choose.random() < 0.3
        return Job(
            id=f"job-{self._count:04}",
            task=choose.choice(["app.remind", "shop.tasks.mail"]),
            due_ms=NOW + choose.choice([-1, 1]) * choose.randrange(_DAY_MS),
            created_ms=NOW - 5,
            payload=encode_call(*self._call()),
            queue=choose.choice(["default", "mail"]) if odd else "default",
            priority=choose.randrange(-9, 9) if odd else 0,
            key=f"key-{self._count}" if odd else None,
            expires_ms=NOW + 90 * _DAY_MS if odd else None,
            result_ttl_ms=_TTL_MS,
        )

    def _call(self) -> tuple[tuple[object, ...], dict[str, object]]:
        choose = self._choose
        return choose.choice(
            [
                ((self._count, "x"), {}),
                (('\u00fc\U0001f600\ud800 "\\\n', -0.0, 1e308, 2**62), {"flag": True, "none": None}),
                (([[[1.5, {"a": [], "": {}}]], "deep"],), {"text": "y" * choose.randrange(self._longest)}),
                ((), {"user": {"id": self._count, "tags": ["a", "b"]}}),
            ]
        )

    def _outcome(self) -> Succeeded | Failed | Retried | Snoozed | Released:
        failure = Failure("ValueError", "no such user", 'Traceback ...\n  File "x.py", line 7\n')
        return self._choose.choice(
            [
                Succeeded(returned=encode({"sent": self._count})),
                Failed(error=failure),
                Retried(due_ms=NOW + 3 * _DAY_MS, error=failure),
                Snoozed(due_ms=NOW + 2 * _DAY_MS, reason="too early"),
                Released(reason="shutdown"),
            ]
        )

    # ---- what came of it ---------------------------------------------------------------------------------

    def _scheduled(self) -> list[str]:
        return sorted(id for id, job in content(self._store).items() if job.state.value == "scheduled")

    def _journal_end(self) -> int:
        return epoch_of(self._store).journal.end

    def _note(self) -> None:
        if epoch_of(self._store).number == EPOCH:
            self._made.ends.append(self._journal_end())
            self._made.contents.append(content(self._store))

    def _taken(self) -> Specimen:
        made = self._made
        assert self._store.check() == []
        self._store.close()
        made.files = self._disk.files()
        made.files[JOURNAL] = made.files[JOURNAL][: self._size - len(made.files[NAME])]
        assert made.ends[-1] < len(made.files[JOURNAL])
        return made
