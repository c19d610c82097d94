"""Members: which jobs belong to the canvas that a job ends, as the stored jobs say."""

from __future__ import annotations

from collections.abc import Iterable
from graphlib import TopologicalSorter
from itertools import chain

from ..contract import Store


def upto(store: Store, ids: Iterable[str]) -> list[str]:
    """The ids of these jobs, and of all that they wait for or waited for, each after those that it waits for.

    What came before a job that has been dropped is not known any more.
    """
    waits: dict[str, tuple[str, ...]] = {}
    left = list(dict.fromkeys(ids))
    while left:
        for id, job in zip(left, store.get(left), strict=True):
            waits[id] = () if job is None or job.after is None else job.after.ids
        before = dict.fromkeys(chain.from_iterable(map(waits.__getitem__, left)))
        left = [id for id in before if id not in waits]
    return list(TopologicalSorter(waits).static_order())
