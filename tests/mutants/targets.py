"""Which modules are mutated: those that a lost or doubled job would be the fault of."""

from __future__ import annotations

from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).parents[2]
CACHE: Final = ROOT / ".cache" / "mutants"


class Target(NamedTuple):
    """One module.

    >>> Target("wheel/ring.py").module
    'noria.wheel.ring'
    """

    file: str

    @property
    def name(self) -> str:
        """As ``--module`` takes it."""
        return Path(self.file).stem

    @property
    def module(self) -> str:
        """As it is imported."""
        return "noria." + self.file.removesuffix(".py").replace("/", ".")

    @property
    def path(self) -> Path:
        """Where it is."""
        return ROOT / self.file

    def text(self) -> str:
        """What is in it."""
        return self.path.read_text(encoding="utf-8")


TARGETS: Final = tuple(
    Target(file)
    for file in (
        "wheel/ring.py",
        "store/state.py",
        "store/deciding.py",
        "store/journal.py",
        "store/lines.py",
        "store/epoch.py",
        "store/ahead.py",
        "store/limits.py",
        "store/ready.py",
        "store/header.py",
        "store/snapshot.py",
        "store/snapshot_writer.py",
        "store/lock.py",
        "wheel/ticker.py",
        "wheel/latch.py",
        "wheel/scheduler.py",
    )
)
