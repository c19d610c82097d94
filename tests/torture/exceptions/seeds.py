"""Stores that do not bear exceptions, one bug each, and the strike in which form that shows it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Final

import pytest
from hourwheel.errors import HourwheelError
from hourwheel.safety import gate
from hourwheel.safety.gate import Gate
from hourwheel.safety.shield import Alarm
from hourwheel.store import doorbell
from hourwheel.store.file.format.journal import Journal
from hourwheel.store.file.keeper import Keeper
from hourwheel.store.memory import MemoryStore
from hourwheel.store.state.state import State

from . import striking

Sow = Callable[[pytest.MonkeyPatch], tuple[str, str]]
SEEDS: Final[dict[str, Sow]] = {}


def _seed(sow: Sow) -> Sow:
    SEEDS[sow.__name__.replace("_", " ")] = sow
    return sow


def _look_closely(patch: pytest.MonkeyPatch) -> None:
    """Strike in the lines of this file, too, and do not wait for a gate that is never left."""
    real = Gate.__init__

    def init(self: Gate, what: str, *, patience_s: float = 0.0) -> None:  # noqa: ARG001
        real(self, what, patience_s=0.2)

    patch.setattr(Gate, "__init__", init)
    patch.setattr(striking, "OURS", (*striking.OURS, __file__))


@_seed
def a_gate_is_left_once_only(patch: pytest.MonkeyPatch) -> tuple[str, str]:
    def run(self: Gate, work: Any, *args: Any, wait: bool = True) -> Any:
        visit = [threading.get_ident()]
        try:
            if self._held.setdefault(0, visit) is not visit:
                self._wait(visit, wait)
            return work(*args)
        finally:
            self._leave(visit)

    patch.setattr(Gate, "run", run)
    patch.setattr(gate, "_is_inside", lambda visit: True)
    _look_closely(patch)
    return "os", "Ctrl-C"


@_seed
def a_gate_is_taken_before_the_try(patch: pytest.MonkeyPatch) -> tuple[str, str]:
    def run(self: Gate, work: Any, *args: Any, wait: bool = True) -> Any:
        visit = [threading.get_ident()]
        if self._held.setdefault(0, visit) is not visit:
            self._wait(visit, wait)
        visit.append(0)
        try:
            try:
                return work(*args)
            finally:
                self._leave(visit)
        finally:
            if self._held.get(0) is visit:
                self._leave(visit)

    patch.setattr(Gate, "run", run)
    patch.setattr(gate, "_is_inside", lambda visit: True)
    _look_closely(patch)
    return "os", "a handler that raises"


@_seed
def what_is_half_changed_in_memory_is_gone_on_with(patch: pytest.MonkeyPatch) -> tuple[str, str]:
    patch.setattr(Keeper, "_unsure", property(lambda self: False, lambda self, value: None), raising=False)
    return "sync", "Ctrl-C"


@_seed
def an_exception_from_outside_is_taken_for_a_failure_of_the_disk(patch: pytest.MonkeyPatch) -> tuple[str, str]:
    real = Journal._sync_now

    def sync_now(self: Journal, upto: int | None) -> None:
        try:
            real(self, upto)
        except BaseException:
            self.broken = True
            raise

    patch.setattr(Journal, "_sync_now", sync_now)
    return "sync", "Ctrl-C"


@_seed
def a_soft_limit_in_the_midst_of_a_verb_is_taken_for_an_error_of_ours(patch: pytest.MonkeyPatch) -> tuple[str, str]:
    def ring(self: Alarm) -> None:
        if not self.struck:
            self.struck = True
            self._strike()

    def broken_off(self: Keeper, error: Exception) -> None:
        if isinstance(error, HourwheelError):
            self._unsure = False

    patch.setattr(Alarm, "ring", ring)
    patch.setattr(Keeper, "_broken_off", broken_off)
    return "os", "a soft limit"


@_seed
def a_handler_waits_for_the_thread_that_it_has_interrupted(patch: pytest.MonkeyPatch) -> tuple[str, str]:
    patch.setattr(Gate, "is_mine", lambda self: False)
    _look_closely(patch)
    return "memory", "a handler that calls"


@_seed
def what_a_handler_adds_is_forgotten(patch: pytest.MonkeyPatch) -> tuple[str, str]:
    patch.setattr(Gate, "defer", lambda self, work: None)
    return "sync", "a handler that calls"


@_seed
def a_memory_store_keeps_half_of_a_change(patch: pytest.MonkeyPatch) -> tuple[str, str]:
    def whole(self: MemoryStore) -> State:
        return self._state

    patch.setattr(MemoryStore, "_whole", whole)
    return "memory", "Ctrl-C"


@_seed
def a_bell_is_a_condition_written_in_python(patch: pytest.MonkeyPatch) -> tuple[str, str]:
    class Bell:
        def __init__(self) -> None:
            self._lock, self._rung = threading.Lock(), 0

        def ring(self) -> None:
            if not self._lock.acquire(timeout=5.0):
                raise AssertionError("the bell's lock is held for good")
            self._rung += 1
            self._lock.release()

        def wait(self, timeout_s: float) -> bool:
            if not self._lock.acquire(timeout=5.0):
                raise AssertionError("the bell's lock is held for good")
            rung = self._rung > 0
            self._lock.release()
            return rung

    for name in ("ring", "wait", "__init__"):
        patch.setattr(doorbell.Doorbell, name, getattr(Bell, name))
    _look_closely(patch)
    return "memory", "Ctrl-C"
