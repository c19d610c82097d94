"""Results of tasks that ran at once in the process that called them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ...errors import JobCancelled, ResultTimeout
from .. import states
from ..settings import absent
from ..settings.absent import forbid


class EagerResult:
    """What came of a task that ran at once."""

    def __init__(self, id: str, value: Any, state: str, traceback: str | None = None, name: str | None = None) -> None:
        self.id = self.task_id = id
        self.result = self.info = value
        self.state = self.status = state
        self.traceback = traceback
        self.name = name
        self.children: Sequence[Any] = ()
        self.parent = None

    def __str__(self) -> str:
        return self.id

    def __repr__(self) -> str:
        return f"<EagerResult: {self.id}>"

    def get(self, timeout: Any = None, propagate: bool = True, **_: Any) -> Any:
        """What it returned; raise what it raised, unless ``propagate`` is False."""
        if propagate and self.state in states.PROPAGATE_STATES:
            raise (
                self.result if isinstance(self.result, BaseException) else JobCancelled(f"job {self.id} was cancelled")
            )
        return None if self.state in (states.IGNORED, states.REJECTED) else self.result

    wait = get
    TimeoutError = ResultTimeout
    supports_native_join = ignored = False
    app = args = kwargs = queue = retries = worker = date_done = None

    def maybe_throw(self, propagate: bool = True, callback: Any = None) -> Any:
        """Raise what it raised, if it has failed; return its result otherwise."""
        return self.get(propagate=propagate)

    maybe_reraise = throw = maybe_throw

    def exists(self) -> bool:
        """Nothing is stored of it."""
        return False

    def as_tuple(self) -> Any:
        """((id, None), None)."""
        return (self.id, None), None

    def as_list(self) -> list[str]:
        """Its id."""
        return [self.id]

    def iterdeps(self, intermediate: bool = False) -> Iterator[tuple[Any, Any]]:
        """Itself."""
        yield None, self

    def collect(self, intermediate: bool = False, **_: Any) -> Iterator[tuple[Any, Any]]:
        """Itself with its result."""
        yield self, self.get()

    def ready(self) -> bool:
        """It has ended."""
        return True

    def successful(self) -> bool:
        """Whether it has succeeded."""
        return self.state == states.SUCCESS

    def failed(self) -> bool:
        """Whether it has failed."""
        return self.state == states.FAILURE

    def forget(self) -> None:
        """Nothing is kept of it."""

    def revoke(self, *_: Any, **__: Any) -> None:
        """It cannot be revoked any more."""
        self.state = self.status = states.REVOKED


class EagerGroup:
    """What came of a group that ran at once."""

    def __init__(self, results: list[Any]) -> None:
        self.results = self.children = results

    @property
    def state(self) -> str:
        """SUCCESS, or the state of the first that did not succeed."""
        return next((one.state for one in self.results if one.state != states.SUCCESS), states.SUCCESS)

    def __iter__(self) -> Any:
        return iter(self.results)

    def __len__(self) -> int:
        return len(self.results)

    def get(self, timeout: Any = None, propagate: bool = True, **_: Any) -> list[Any]:
        """The results, in the order of the calls."""
        return [one.get(timeout, propagate) for one in self.results]

    join = get

    def ready(self) -> bool:
        """They have ended."""
        return True

    def successful(self) -> bool:
        """Whether all have succeeded."""
        return self.state == states.SUCCESS

    def failed(self) -> bool:
        """Whether one has failed."""
        return self.state == states.FAILURE

    def completed_count(self) -> int:
        """How many have succeeded."""
        return sum(one.state == states.SUCCESS for one in self.results)


forbid(EagerResult, {**absent.RESULT, "then": absent.GROUP["then"]})
