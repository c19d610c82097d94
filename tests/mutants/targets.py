"""Which modules are mutated: those that a lost or doubled job would be the fault of."""

from __future__ import annotations

from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).parents[2]
CACHE: Final = ROOT / ".cache" / "mutants"


class Target(NamedTuple):
    """One module.

    >>> Target("wheel/ring.py").module
    'hourwheel.ring'
    """

    file: str
    also: str = ""
    """Another module, whose tests are about this one, too."""

    def is_of(self, test: str) -> bool:
        """Whether the file of a test, told by its node id, says that it is about this module."""
        start = test.partition("::")[0].rpartition("/test_")[2]
        return start.startswith(self.name) or bool(self.also and start.startswith(self.also))

    @property
    def name(self) -> str:
        """As ``--module`` takes it."""
        return Path(self.file).stem

    @property
    def module(self) -> str:
        """As it is imported."""
        return (
            self.file.removesuffix(".py")
            .replace("wheel/", "hourwheel/")
            .replace("store/", "hourwheel/store/")
            .replace("/", ".")
        )

    @property
    def path(self) -> Path:
        """Where it is."""
        return ROOT / self.file

    def text(self) -> str:
        """What is in it."""
        return self.path.read_text(encoding="utf-8")


TARGETS: Final = (
    Target("wheel/ring.py"),
    Target("wheel/turn.py", also="settl"),
    Target("store/state/state.py"),
    Target("store/state/keys.py"),
    Target("store/state/leases.py"),
    Target("store/state/deciding.py"),
    Target("store/file/format/journal.py"),
    Target("store/file/format/lines.py"),
    Target("store/file/epoch.py", also="ahead"),
    Target("store/file/ahead.py"),
    Target("store/state/limits.py"),
    Target("store/state/ready.py"),
    Target("store/file/format/header.py"),
    Target("store/file/format/snapshot.py"),
    Target("store/file/format/snapshot_writer.py"),
    Target("store/file/system/lock.py"),
    Target("wheel/worker/ticker.py"),
    Target("wheel/worker/asking.py", also="unheard"),
    Target("wheel/safety/latch.py"),
    Target("wheel/scheduler/scheduler.py"),
    Target("wheel/scheduler/life.py"),
    Target("wheel/scheduler/backing.py"),
)
