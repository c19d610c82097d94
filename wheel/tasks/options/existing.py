"""Jobs that were stored before, as callers name them: by results or ids."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from uuid import UUID

from ...errors import InvalidValue
from ...ids import sought_id
from ...job import Job

if TYPE_CHECKING:
    from ...results.result import AsyncResult

Existing: TypeAlias = "AsyncResult[Any] | Job | str | UUID"
"""A job that was stored before: its result, the job, or its id."""
_MOST: Final = 10_000
_RULE: Final = "the result or id of a call that has been made, such as task.delay(...), or a list of them"


def existing_ids(name: str, value: Any) -> tuple[str, ...]:
    """Return the ids of one or more jobs, each once. ``name``: of the option, for error messages.

    >>> existing_ids("after", ["a", "b", "a"])
    ('a', 'b')

    Raises:
        InvalidValue: the value names no jobs, or more than 10,000.
    """
    ids = tuple(dict.fromkeys(_ids_in(name, value)))
    if len(ids) > _MOST:
        raise InvalidValue.of(name, f"at most {_MOST} jobs", len(ids))
    return ids


def _ids_in(name: str, value: Any) -> Iterator[str]:
    if isinstance(value, (str, UUID)):
        try:
            yield sought_id(value)
        except InvalidValue:
            raise InvalidValue.of(name, _RULE, value) from None
    elif isinstance(id := getattr(value, "id", None), str):  # of a result or a job
        yield id
    elif isinstance(ids := getattr(value, "ids", None), Sequence):  # of the results of a group
        yield from ids
    elif isinstance(value, (list, tuple, set, frozenset, Iterator)):
        for one in value:
            yield from _ids_in(name, one)
    else:
        raise InvalidValue.of(name, _RULE, value)
