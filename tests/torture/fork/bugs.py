"""Bugs of the sort that makes forks dangerous, sown into the store and the scheduler of this process."""

from __future__ import annotations

from collections.abc import Callable

from hourwheel import Scheduler
from hourwheel.store.file import keeper
from hourwheel.store.file.keeper import Keeper
from hourwheel.worker.run import runner


def _unlocks_in_the_child() -> None:
    right = Keeper.forget_parent

    def forget(self: Keeper) -> None:
        if self.newest.lock._fd >= 0:
            self.newest.lock.release()
        right(self)

    Keeper.forget_parent = forget  # type: ignore[method-assign]


def _has_no_hook() -> None:
    Keeper.forget_parent = lambda self: None  # type: ignore[method-assign]
    keeper.drop_inherited = lambda paths: None  # type: ignore[assignment]


def _keeps_descriptors() -> None:
    Keeper.forget_parent = Keeper._start_afresh  # type: ignore[method-assign]
    keeper.drop_inherited = lambda paths: None  # type: ignore[assignment]


def _keeps_mutexes() -> None:
    right = Keeper.forget_parent

    def forget(self: Keeper) -> None:
        gate = self._gate
        right(self)
        self._gate = gate

    Keeper.forget_parent = forget  # type: ignore[method-assign]


def _keeps_the_owner() -> None:
    """The scheduler's own hook does nothing."""
    Scheduler._begin_in_child = lambda self: None  # type: ignore[method-assign]


def _goes_on_after_the_job() -> None:
    runner.end_forked_child = lambda raised: None  # type: ignore[assignment]


BUGS: dict[str, Callable[[], None]] = {
    "a child unlocks what it inherits": _unlocks_in_the_child,
    "no hook at fork": _has_no_hook,
    "inherited descriptors stay open": _keeps_descriptors,
    "a mutex stays as it was at the fork": _keeps_mutexes,
    "a child claims in its parent's name": _keeps_the_owner,
    "a child goes on after the job that forked it": _goes_on_after_the_job,
}
