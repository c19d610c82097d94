"""Options: each has its rule, none is ignored; a plan makes of them what a job carries."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hourwheel.errors import InvalidValue
from hourwheel.job import Job
from hourwheel.tasks.options.plan import CALL, STANDING, CallOptions, Options, Plan, due_ms

NOW_NS = 1_763_700_000_000_000_001
NOW_MS = 1_763_700_000_000
NAIVE = datetime(2030, 1, 1)


def job(**options: Any) -> Job:
    return Plan().but(options).job("app.remind", "[[1],{}]", NOW_NS, 7_000)


def test_without_options_a_job_has_the_defaults_of_job_and_is_due_now() -> None:
    made = job()
    assert made == Job(
        id=made.id, task="app.remind", payload="[[1],{}]", due_ms=NOW_MS, created_ms=NOW_MS, result_ttl_ms=7_000
    )
    assert UUID(made.id).version == 7


@pytest.mark.parametrize(
    ("options", "fields"),
    [
        ({"queue": "mail"}, {"queue": "mail"}),
        ({"priority": -100}, {"priority": -100}),
        ({"key": "cart 7"}, {"key": "cart 7"}),
        ({"task_id": "0192E4C0A1B27C3D8E4F5A6B7C8D9E0F"}, {"id": "0192e4c0-a1b2-7c3d-8e4f-5a6b7c8d9e0f"}),
        ({"expires": 60}, {"expires_ms": NOW_MS + 60_001}),  # rounded up, as every deadline
        ({"expires": timedelta(milliseconds=1)}, {"expires_ms": NOW_MS + 2}),
        ({"expires": datetime(2030, 1, 1, tzinfo=UTC)}, {"expires_ms": 1_893_456_000_000}),
        ({"acks_early": True}, {"max_crashes": 1}),
        ({"acks_early": False}, {"max_crashes": 3}),
        ({"result_ttl": 0}, {"result_ttl_ms": 0}),
        ({"result_ttl": 1.5}, {"result_ttl_ms": 1_500}),
        ({"on_conflict": "raise"}, {}),
        (dict.fromkeys(CALL - {"countdown", "eta"}), {}),
    ],
)
def test_each_option_sets_its_field_of_the_job_and_no_other(options: dict[str, Any], fields: dict[str, Any]) -> None:
    made = job(**options)
    assert made == job()._replace(**{"id": made.id, **fields})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"queue": ""}, "queue must be 1 to 100 letters"),
        ({"queue": "a,b"}, "queue must be"),
        ({"queue": 1}, "queue must be"),
        ({"priority": 101}, "priority must be a whole number from -100 to 100, got 101"),
        ({"priority": 1.0}, "priority must be"),
        ({"priority": True}, "priority must be"),
        ({"key": ""}, "key must be text of 1 to 200 characters, or a tuple .*, got ''"),
        ({"key": 7}, "key must be"),
        ({"key": "x" * 201}, "key must be"),
        ({"task_id": "a b"}, "task_id must be"),
        ({"expires": 0}, "expires must be a number of seconds or a timedelta, more than zero, got 0"),
        ({"expires": -1}, "expires must be"),
        ({"expires": "soon"}, "expires must be"),
        ({"expires": float("nan")}, "expires must be"),
        ({"expires": NAIVE}, "expires must be an aware datetime"),
        ({"acks_early": 1}, "acks_early must be True or False, got 1"),
        ({"result_ttl": -1}, "result_ttl must be a number of seconds or a timedelta, zero or more, got -1"),
        ({"result_ttl": True}, "result_ttl must be"),
        ({"on_conflict": "ignore"}, 'on_conflict must be "keep", "replace" or "raise", got \'ignore\''),
        ({"countdwon": 5}, "option must be one of acks_early, .*countdown, eta, .* got 'countdwon'"),
        ({"publish": None}, "option must be one of"),
        ({"misfire": "run", "misfire_grace_time": 1}, 'misfire_grace_time must be left out if misfire is "run"'),
    ],
)
def test_an_option_that_breaks_its_rule_or_is_unknown_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidValue, match=message):
        Plan().but(options)


def test_later_options_take_the_place_of_earlier_ones_and_leave_the_others() -> None:
    plan = Plan().but({"queue": "a", "expires": 60}).but({"queue": "b"})
    assert (plan.queue, plan.expires) == ("b", 60)
    absolute = plan.but({"expires": datetime(2030, 1, 1, tzinfo=UTC)})
    assert (absolute.expires, absolute.expires_ms) == (None, 1_893_456_000_000)
    assert (absolute.but({"expires": 5}).expires, absolute.but({"expires": 5}).expires_ms) == (5, None)


def test_a_plan_is_fresh_unless_the_caller_names_an_id_or_a_key() -> None:
    assert Plan().but({"queue": "a"}).fresh
    assert not Plan().but({"key": "a"}).fresh
    assert not Plan().but({"task_id": "a"}).fresh
    assert not Plan().but({"key": "a"}).but({"queue": "a"}).fresh


def test_the_types_of_the_options_name_what_the_rules_name() -> None:
    assert set(CallOptions.__annotations__) == CALL
    assert set(Options.__annotations__) == STANDING


def test_countdown_is_rounded_up_and_eta_too_so_that_nothing_is_due_early() -> None:
    assert due_ms(NOW_NS, 1, None) == NOW_MS + 1_001
    assert due_ms(NOW_NS, timedelta(microseconds=1), None) == NOW_MS + 1
    assert due_ms(NOW_NS, None, datetime(1970, 1, 1, 0, 0, 0, 1, tzinfo=UTC)) == 1


@pytest.mark.parametrize(
    ("countdown", "eta", "message"),
    [
        (1, datetime(2030, 1, 1, tzinfo=UTC), "pass countdown or eta, not both"),
        (None, None, "pass countdown or eta"),
        (-1, None, "countdown must be"),
        ("1", None, "countdown must be"),
        (True, None, "countdown must be"),
        (None, NAIVE, r"eta must be an aware datetime, got .*; add a time zone"),
    ],
)
def test_a_time_that_breaks_its_rule_is_refused(countdown: Any, eta: Any, message: str) -> None:
    with pytest.raises(InvalidValue, match=message):
        due_ms(NOW_NS, countdown, eta)


def test_a_job_is_run_late_unless_it_is_to_be_skipped() -> None:
    def grace(**options: object) -> int | None:
        return Plan().but(options).job("t", "[[],{}]", 0, 0).grace_ms

    assert grace() is None
    assert grace(misfire="run") is None
    assert grace(misfire="skip") == 60_000
    assert grace(misfire_grace_time=2.5) == 2_500
    assert grace(misfire="skip", misfire_grace_time=timedelta(minutes=5)) == 300_000


@pytest.mark.parametrize(("name", "value"), [("misfire", "drop"), ("misfire", True), ("misfire_grace_time", -1)])
def test_a_misfire_option_that_breaks_its_rule_is_refused(name: str, value: object) -> None:
    with pytest.raises(InvalidValue, match=f"{name} must be"):
        Plan().but({name: value})
