"""What an outcome does to its job: the kinds of stores and workers are tested with it; here is what is no outcome."""

from __future__ import annotations

from typing import Any

import pytest
from hourwheel.job import Claim, Job, Released, State, Succeeded
from hourwheel.turn import effects, turn

JOB = Job(id="a", task="t", due_ms=5, state=State.RUNNING, attempt=1, token=1, owner="me")


@pytest.mark.parametrize("given", [None, "done", {"returned": "null"}, Released, State.SUCCEEDED])
def test_what_is_no_outcome_does_not_end_a_job_as_if_it_were_one(given: Any) -> None:
    with pytest.raises(TypeError) as caught:
        turn(JOB, given)
    assert str(caught.value) == f"outcome must be one of hourwheel.Outcome, got {given!r}"


def test_one_wrong_outcome_among_others_is_told_before_a_store_is_given_any_and_in_few_words() -> None:
    right, wrong = (Claim(JOB._replace(id=id), 1, "me") for id in "ab")
    with pytest.raises(TypeError) as caught:
        effects([(right, Succeeded()), (wrong, "x" * 10_000)])  # type: ignore[list-item]
    assert len(str(caught.value)) < 150
