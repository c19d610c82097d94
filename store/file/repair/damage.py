"""Damage: a place in a file that is not as it was written."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal["damaged", "mended", "unfinished"]

_ID: Final = re.compile(rb'"id":"([^"\\]{1,200})"')
_LONGEST_REASON: Final = 240


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """A place in a file that is not as it was written.

    >>> print(Damage(path="tasks.json", offset=340, length=12, reason="this cannot be read"))
    tasks.json: byte 340, 12 bytes: this cannot be read
    """

    path: str
    offset: int
    """Bytes from the start of the file."""
    length: int
    reason: str
    kind: Kind = "damaged"
    """"mended": what was written there is known for sure. "unfinished": a write that was never acknowledged."""
    job: str | None = None
    """The id of the job that seems to be concerned."""
    seq: int | None = None
    """The number of the journal record that must have been there."""

    def __str__(self) -> str:
        about = f" (job {self.job})" if self.job else ""
        size = f"{self.length} byte{'s' if self.length != 1 else ''}"
        return f"{self.path}: byte {self.offset}, {size}: {self.reason}{about}"


def id_in(raw: bytes) -> str | None:
    """The first job id in a text, which may be damaged."""
    found = _ID.search(raw)
    return None if found is None else found[1].decode("utf-8", "replace")


def short(reason: str) -> str:
    """A reason, cut to a readable length: an error may quote half of a file."""
    return reason if len(reason) <= _LONGEST_REASON else reason[: _LONGEST_REASON - 3] + "..."
