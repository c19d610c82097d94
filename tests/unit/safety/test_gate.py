"""The gate: what an exception from outside would have left held."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hourwheel import SoftTimeLimitExceeded
from hourwheel.errors import StoreBusy, StoreReentered
from hourwheel.safety.gate import _GAVE_UP, Gate, Occupied
from hourwheel.safety.shield import ALARMS, Alarm, take_off

PATIENCE_S = 10.0


class Struck(BaseException):
    """As Ctrl-C."""


def of_another_thread(work: object) -> object:
    found: list[object] = []
    thread = threading.Thread(target=lambda: found.append(work()), daemon=True)  # type: ignore[operator]
    thread.start()
    thread.join(PATIENCE_S)
    return found[0] if found else "it hangs"


@contextmanager
def occupied(gate: Gate) -> Iterator[None]:
    inside, leave = threading.Event(), threading.Event()
    thread = threading.Thread(target=lambda: gate.run(lambda: (inside.set(), leave.wait(PATIENCE_S))), daemon=True)
    thread.start()
    assert inside.wait(PATIENCE_S)
    try:
        yield
    finally:
        leave.set()
        thread.join(PATIENCE_S)


def test_work_that_is_struck_leaves_the_gate_open_for_other_threads() -> None:
    gate = Gate("it")

    def struck() -> None:
        raise Struck

    with pytest.raises(Struck):
        gate.run(struck)
    assert of_another_thread(lambda: gate.run(lambda: "came in")) == "came in"


def test_one_strike_as_a_call_leaves_kept_the_writers_lock_in_an_idle_notebook_and_everybody_else_out() -> None:
    gate, left = Gate("it"), []

    def leaving() -> None:
        left.append(None)
        if len(left) == 1:
            raise Struck

    gate.on_leave = leaving
    with pytest.raises(Struck):
        gate.run(lambda: None)
    assert len(left) == 2
    assert gate.is_free()


def test_two_strikes_in_one_call_hung_every_later_call() -> None:
    gate = Gate("it")

    def leaving() -> None:
        raise Struck

    gate.on_leave = leaving
    with pytest.raises(Struck):
        gate.run(lambda: None)
    assert not gate.is_free()
    gate.on_leave = lambda: None
    assert of_another_thread(lambda: gate.run(lambda: "took over")) == "took over"
    with pytest.raises(Struck):
        gate.on_leave = leaving
        gate.run(lambda: None)
    gate.on_leave = lambda: None
    assert gate.run(lambda: "the same thread, too") == "the same thread, too"


def test_who_waits_gives_up_in_the_end_and_says_so() -> None:
    gate = Gate("tasks.json", patience_s=0.0)
    with (
        occupied(gate),
        pytest.raises(StoreBusy, match=r"tasks\.json: other threads of this process have kept it busy"),
    ):
        gate.run(lambda: None)
    assert gate.run(lambda: 1) == 1


def test_a_thread_that_polled_the_store_kept_the_ticker_out_for_a_minute() -> None:
    gate, leave = Gate("it"), threading.Event()

    def poll() -> None:
        while not leave.is_set():
            gate.run(os.stat, "/")  # gives up the interpreter inside, so whoever wakes up finds it taken

    polling = threading.Thread(target=poll, daemon=True)
    polling.start()
    try:
        came = [of_another_thread(lambda: gate.run(lambda: "came in")) for _ in range(20)]
    finally:
        leave.set()
        polling.join(PATIENCE_S)
    assert came == ["came in"] * 20


def test_a_thread_that_gave_up_as_it_was_its_turn_and_has_ended_keeps_nobody_out() -> None:
    gate, gone = Gate("it"), threading.Thread(target=lambda: None)
    gone.start()
    gone.join()
    assert gone.ident is not None
    gate._held[0] = [gone.ident, _GAVE_UP]
    assert of_another_thread(lambda: gate.run(lambda: "took over")) == "took over"


def test_a_call_that_does_not_wait_is_told_at_once() -> None:
    gate = Gate("it")
    with occupied(gate), pytest.raises(Occupied):
        gate.run(lambda: None, wait=False)


def test_a_handler_that_came_by_hung_the_process_and_with_it_the_store() -> None:
    gate, done = Gate("it"), []

    def interrupted() -> None:
        with pytest.raises(StoreReentered, match="set a flag in the handler"):
            gate.run(lambda: None)
        gate.defer(lambda: done.append(gate.run(lambda: "afterwards")))
        assert done == []

    gate.run(interrupted)
    assert done == ["afterwards"]


def test_deferred_work_that_fails_is_logged_and_the_interrupted_call_does_not_see_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    gate = Gate("it")

    def interrupted() -> str:
        gate.defer(lambda: 1 / 0)
        return "done"

    assert gate.run(interrupted) == "done"
    assert "a change requested by a signal handler failed" in caplog.text


# ---- soft limits -----------------------------------------------------------------------------------------


@contextmanager
def limited() -> Iterator[Alarm]:
    def strike() -> None:
        raise SoftTimeLimitExceeded

    thread = threading.get_ident()
    alarm = ALARMS[thread] = Alarm(strike, outer=ALARMS.get(thread))
    try:
        yield alarm
    finally:
        alarm.end()
        take_off(alarm, thread)


def test_a_soft_limit_in_the_midst_of_delay_waits_until_the_job_is_stored() -> None:
    gate, stored = Gate("it"), []
    with limited() as alarm, pytest.raises(SoftTimeLimitExceeded):

        def work() -> None:
            alarm.ring()
            stored.append("whole")

        gate.run(work)
    assert stored == ["whole"]
    assert gate.run(lambda: "the next job is innocent") == "the next job is innocent"


def test_a_soft_limit_outside_of_it_strikes_at_once_and_once() -> None:
    with limited() as alarm:
        with pytest.raises(SoftTimeLimitExceeded):
            alarm.ring()
        alarm.ring()
        assert Gate("it").run(lambda: 1) == 1


def test_the_limit_of_an_outer_run_waits_too() -> None:
    gate = Gate("it")
    with limited() as outer, limited(), pytest.raises(SoftTimeLimitExceeded):
        gate.run(outer.ring)
    assert ALARMS.get(threading.get_ident()) is None


def test_a_limit_whose_run_is_over_does_not_strike() -> None:
    with limited() as alarm:
        alarm.end()
        alarm.ring()
        assert not alarm.struck
