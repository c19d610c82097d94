"""Keys: which unfinished jobs have each key. The newest holds it.

A running job can be replaced by a newer one with the same key. It gets the key back when the newer one ends first.
"""

from __future__ import annotations

from collections.abc import Iterator


class Keys:
    """The ids of unfinished jobs by key, the newest last."""

    __slots__ = ("_held",)

    def __init__(self) -> None:
        self._held: dict[str, str | list[str]] = {}
        """One id, or a list of several: nearly all keys have one."""

    def add(self, key: str, id: str) -> None:
        """A job with the key, newer than the others; one that is here already stays where it is."""
        held = self._held.get(key)
        if held is None:
            self._held[key] = id
        elif isinstance(held, str):
            if held != id:
                self._held[key] = [held, id]
        elif id not in held:
            held.append(id)

    def discard(self, key: str, id: str) -> None:
        """The job has finished, or has the key no longer."""
        held = self._held.get(key)
        if held == id:
            del self._held[key]
        elif isinstance(held, list) and id in held:
            held.remove(id)
            if len(held) == 1:
                self._held[key] = held[0]

    def newest(self, key: str) -> str | None:
        """The id of the job that holds the key."""
        held = self._held.get(key)
        return held[-1] if isinstance(held, list) else held

    def all_of(self, key: str) -> list[str]:
        """The ids of all unfinished jobs with the key, the newest last."""
        held = self._held.get(key)
        return [] if held is None else [held] if isinstance(held, str) else list(held)

    def items(self) -> Iterator[tuple[str, list[str]]]:
        """Every key with the ids of its jobs."""
        return ((key, self.all_of(key)) for key in list(self._held))
