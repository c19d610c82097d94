"""What crosses to a worker process and back is what was sent."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Iterator
from typing import get_args

import pytest
from hourwheel.job import (
    Crashed,
    Failed,
    Failure,
    Job,
    Outcome,
    Released,
    Retried,
    Snoozed,
    State,
    Succeeded,
)
from hourwheel.worker.pool.wire import Channel, job_of, outcome_of, packed_job, packed_outcome, packed_record

FAILURE = Failure("app.Broken", 'it "broke"\nünïcödé \ud800', "Traceback ...\n  line 1")


@pytest.fixture
def ends() -> Iterator[tuple[Channel, Channel]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield Channel(ours), Channel(theirs)


def test_a_job_arrives_as_it_was(ends: tuple[Channel, Channel]) -> None:
    job = Job(
        id="a", task="t", due_ms=5, payload='[["ü\\n"],{}]', key="k", state=State.RUNNING, attempt=2, error=FAILURE,
        token=9, owner="me",
    )  # fmt: skip
    ends[0].send(packed_job(job))
    found = job_of(ends[1].receive())
    assert found == job
    assert (type(found.state), type(found.error)) == (State, Failure)


@pytest.mark.parametrize(
    "outcome",
    [
        Succeeded(returned='{"n":[1,2.5,null]}'),
        Failed(error=FAILURE, reason="no attempt is left"),
        Retried(due_ms=7, error=FAILURE, payload="[[1],{}]"),
        Retried(due_ms=7),
        Snoozed(due_ms=8, reason="not yet"),
        Released(),
        Crashed(reason="was killed by SIGSEGV"),
    ],
    ids=repr,
)
def test_an_outcome_arrives_as_it_was(ends: tuple[Channel, Channel], outcome: Outcome) -> None:
    ends[1].send(packed_outcome(outcome))
    assert outcome_of(ends[0].receive()) == outcome


def test_every_kind_of_outcome_can_be_sent() -> None:
    assert {kind.__name__ for kind in get_args(Outcome)} >= {"Succeeded", "Failed", "Crashed"}
    for kind in get_args(Outcome):
        assert kind.__dataclass_fields__


def test_messages_of_many_threads_arrive_whole(ends: tuple[Channel, Channel]) -> None:
    def send(number: int) -> None:
        for _ in range(50):
            ends[0].send(["x" * 5_000, number])

    threads = [threading.Thread(target=send, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    found = [ends[1].receive() for _ in range(200)]
    assert sorted(number for _, number in found) == sorted(list(range(4)) * 50)
    assert {text for text, _ in found} == {"x" * 5_000}


def test_an_end_that_has_gone_is_noticed(ends: tuple[Channel, Channel]) -> None:
    ends[0].send("last")
    ends[0].close()
    assert ends[1].receive() == "last"
    assert ends[1].receive() is None


def test_a_log_record_is_made_plain() -> None:
    record = logging.makeLogRecord({"msg": "%s of %r", "args": (1, object), "job_id": "a", "odd": object()})
    packed = packed_record(record)
    assert packed["msg"] == "1 of <class 'object'>"
    assert packed["job_id"] == "a"
    assert "odd" not in packed
