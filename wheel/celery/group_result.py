"""GroupResult: handles to the jobs of a group, in Celery's words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Generic, TypeVar

from ..contract import Found
from ..errors import HourwheelError
from ..results import many
from ..results.completing import as_completed
from ..tasks.options.times import Seconds
from .settings import absent
from .settings.absent import forbid

R_co = TypeVar("R_co", covariant=True)


def callback_in(ignored: dict[str, Any]) -> Any:
    """The callback among arguments of get() that have nothing else to say here; TypeError for unknown ones."""
    known = {"callback", "interval", "no_ack", "follow_parents", "on_message", "on_interval", "disable_sync_subtasks",
        "EXCEPTION_STATES", "PROPAGATE_STATES"}  # fmt: skip
    if unknown := ignored.keys() - known:
        raise TypeError(f"get() got an unexpected keyword argument {sorted(unknown)[0]!r}")
    return ignored.get("callback")


class GroupResult(many.Results[R_co], Generic[R_co]):
    """Handles to the jobs of a group."""

    __slots__ = ()

    @property
    def results(self) -> list[Any]:
        """The handles."""
        return list(self)

    children = results

    @property
    def id(self) -> str:
        """The id of the first job: a group has none of its own."""
        return self.ids[0] if self.ids else ""

    def join(self, timeout: Seconds | None = None, propagate: bool = True, **ignored: Any) -> list[Any]:
        """Wait for all, and return their results in the order of the calls."""
        callback = callback_in(ignored)
        found = [one.get(left, propagate=propagate) for one, left in self._each(timeout)][: len(self)]
        if callback is not None:
            for one, value in zip(self, found, strict=True):
                callback(getattr(one, "id", None), value)
        return found

    join_native = join

    def get(self, timeout: Seconds | None = None, propagate: bool = True, **ignored: Any) -> list[Any]:
        """The same as join()."""
        return self.join(timeout, propagate, **ignored)

    def iterate(self, timeout: Seconds | None = None, propagate: bool = True) -> Iterator[Any]:
        """The results, one after the other."""
        for one, left in self._each(timeout):
            yield one.get(left, propagate=propagate)

    def save(self, backend: Any = None) -> None:
        """Refused: keep the ids."""
        raise HourwheelError("a group is not saved under an id; keep [one.id for one in result] where you need it")

    @classmethod
    def restore(cls, id: str, *_: Any, **__: Any) -> Any:
        """Refused: keep the ids."""
        raise HourwheelError(f"group {id} was not saved; keep the ids of its jobs, and make AsyncResult(id) of each")

    def as_tuple(self) -> Any:
        """((id, None), members)."""
        return (self.id, None), [one.as_tuple() for one in self.results]

    def revoke(self, *_: Any, **__: Any) -> list[Found]:
        """Cancel the jobs that have not started, in one durable write."""
        return self.cancel()

    def maybe_throw(self, propagate: bool = True, callback: Any = None) -> None:
        """Raise what the first of them raised that has failed."""
        for one in self.results:
            one.maybe_throw(propagate, callback)

    maybe_reraise = maybe_throw
    supports_native_join = False
    parent = None

    @property
    def app(self) -> Any:
        """The app."""
        return self._keeper

    def iter_native(self, timeout: Seconds | None = None, **_: Any) -> Iterator[tuple[str, Any]]:
        """Pairs (id, {"status", "result"}), in the order in which the jobs end."""
        one: Any  # its get() has other parameters than ours
        for one in as_completed(self, timeout):
            found = one.get(0, propagate=False)
            yield one.id, {"status": one.state, "result": found}

    def delete(self, backend: Any = None) -> list[Found]:
        """Drop the jobs that have finished."""
        return self.forget()


ResultSet = GroupResult

forbid(GroupResult, absent.GROUP)
