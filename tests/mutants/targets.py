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
    Target("store/state.py"),
    Target("store/deciding.py"),
    Target("store/journal.py"),
    Target("store/lines.py"),
    Target("store/epoch.py", also="ahead"),
    Target("store/ahead.py"),
    Target("store/limits.py"),
    Target("store/ready.py"),
    Target("store/header.py"),
    Target("store/snapshot.py"),
    Target("store/snapshot_writer.py"),
    Target("store/lock.py"),
    Target("wheel/ticker.py"),
    Target("wheel/latch.py"),
    Target("wheel/scheduler.py"),
)
