"""The exception of a soft limit, and what it leaves behind: nothing."""

from __future__ import annotations

import subprocess
import sys
from textwrap import dedent
from time import monotonic
from types import SimpleNamespace

import pytest
from hourwheel import SoftTimeLimitExceeded
from hourwheel.tasks.options.time_limits import Limits
from hourwheel.worker.run.interrupt import soft_limit

UNDER_A_TRACER = """
    import sys
    from hourwheel import SoftTimeLimitExceeded
    from hourwheel.worker.run.interrupt import soft_limit
    from hourwheel.tasks.options.time_limits import Limits

    def after():
        return "went on"

    def for_ever():
        while True:
            pass

    sys.settrace(lambda *_: None)
    try:
        soft_limit(Limits(soft_s=0.01), for_ever)
    except SoftTimeLimitExceeded:
        print(after())
"""


def spin(seconds: float) -> None:
    end = monotonic() + seconds
    while monotonic() < end:
        pass


def test_a_process_with_a_debugger_or_coverage_hung_after_a_soft_limit() -> None:
    told = subprocess.run(
        [sys.executable, "-c", dedent(UNDER_A_TRACER)], capture_output=True, text=True, timeout=60, check=False
    )
    assert (told.stdout, told.stderr) == ("went on\n", "")


def test_a_limit_that_is_over_as_the_block_ends_is_raised_at_its_end_or_not_at_all() -> None:
    for _ in range(100):
        try:
            soft_limit(Limits(soft_s=0.001), lambda: spin(0.001))
        except SoftTimeLimitExceeded:
            pass
        spin(0.0003)  # it would be raised here


def test_a_block_that_went_on_after_its_limit_ends_as_it_would() -> None:
    def work() -> str:
        with pytest.raises(SoftTimeLimitExceeded):
            spin(10)
        return "cleaned up"

    assert soft_limit(Limits(soft_s=0.05), work) == "cleaned up"


def test_a_thread_whose_number_is_not_the_interpreters_as_under_gevent_did_not_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("hourwheel.worker.run.interrupt.threading", SimpleNamespace(get_ident=lambda: 1))
    soft_limit(Limits(soft_s=0.001), lambda: spin(0.01))
