"""A job as somebody else wrote it."""

from __future__ import annotations

import pytest
import simplejson
from hourwheel.job import After, Bound, Failure, Fire, Job, State
from hourwheel.store.codec import UnreadableJob, decode_job, encode_job
from hourwheel.store.file.repair.shape import is_canonical, job_of, read_job
from hypothesis import given
from hypothesis import strategies as st

FULL = Job(
    id="a",
    task="app.remind",
    due_ms=1_000,
    payload='[[1,{"x":null}],{"k":"\\u00e4"}]',
    created_ms=5,
    queue="mail",
    priority=-3,
    key="k",
    expires_ms=9_000,
    max_crashes=1,
    result_ttl_ms=7,
    state=State.SUCCEEDED,
    attempt=2,
    crashes=0,
    token=9,
    owner="w",
    started_ms=1_001,
    finished_ms=1_002,
    returned='{"r":[1]}',
    error=Failure("E", "m", "t"),
    reason="why",
    grace_ms=60_000,
    cancel_ms=1_001,
    wakes=("b", "c"),
    after=After(("x", "y"), 1, "finished", "results", 5),
    limits=(Bound("a", 2), Bound('"b"', 10, 60_000)),
    fire=Fire("s", 7, "every 5 ms", followed=True, missed=2),
    extra='{"colour":"blue"}',
)


@pytest.mark.parametrize(
    "after",
    [
        {},
        {"ids": ["x"]},
        {"ids": "x", "left": 1},
        {"ids": ["x"], "left": 2},
        {"ids": ["x"], "left": -1},
        {"ids": ["x"], "left": True},
        {"ids": ["x"], "left": 1, "need": "luck"},
        {"ids": ["x"], "left": 1, "gives": "all"},
        {"ids": ["x"], "left": 1, "delay_ms": 0.5},
        {"ids": ["x"], "left": 1, "colour": "blue"},
        ["x"],
    ],
)
def test_what_a_job_waits_for_must_make_sense(after: object) -> None:
    with pytest.raises(ValueError, match="after"):
        job_of({"id": "a", "due_ms": 1, "task": "t", "after": after})


@pytest.mark.parametrize(
    "limits",
    [{}, "a", [7], [["a"]], [["a", 1]], [["a", 0, 0]], [["a", 1, -1]], [["a", True, 0]], [["a", 1, 0, 0]], [[7, 1, 0]]],
)
def test_what_a_job_keeps_to_must_make_sense(limits: object) -> None:
    fields = {"id": "a", "due_ms": 1, "task": "t", "limits": limits}
    with pytest.raises(ValueError, match="limits"):
        job_of(fields)
    with pytest.raises(UnreadableJob, match="limits"):
        decode_job(simplejson.dumps(fields).encode())


@pytest.mark.parametrize(
    "fire",
    [
        [],
        "s",
        {},
        ["s", 7, "x", False],
        ["s", -1, "x", False, 0],
        ["s", True, "x", False, 0],
        ["s", 7, "x", 1, 0],
        ["s", 7, "x", True, -1],
    ],
)
def test_of_which_schedule_a_job_is_must_make_sense(fire: object) -> None:
    fields = {"id": "a", "due_ms": 1, "task": "t", "fire": fire}
    with pytest.raises(ValueError, match="fire"):
        job_of(fields)
    with pytest.raises(UnreadableJob, match="fire"):
        decode_job(simplejson.dumps(fields).encode())


def test_what_the_store_writes_is_read_back_whole() -> None:
    raw = encode_job(FULL).encode()
    assert read_job(raw) == FULL == decode_job(raw)
    assert is_canonical(raw, FULL)


def test_no_field_but_those_with_defaults_may_be_missing() -> None:
    assert job_of({"id": "a", "due_ms": 1, "task": "t"}) == Job(id="a", due_ms=1, task="t")


def test_another_layout_is_the_same_job_but_not_canonical() -> None:
    raw = b'{ "task": "t", "payload": [[1], {}], "due_ms": 1, "id": "a" }'
    assert read_job(raw) == Job(id="a", due_ms=1, task="t", payload="[[1],{}]")
    assert not is_canonical(raw, read_job(raw))


@pytest.mark.parametrize(
    "raw", [b"", b"[]", b"7", b'"a"', b"{}", b'{"id":"a","id":"b","due_ms":1,"task":"t"}', b"\xff"]
)
def test_what_is_no_job_is_a_value_error(raw: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        read_job(raw)


@given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
def test_any_bytes_are_a_job_or_a_value_error(raw: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        read_job(raw)


@given(
    st.sampled_from(sorted(set(Job._fields) - {"extra"})), st.none() | st.integers() | st.lists(st.text()) | st.text()
)
def test_any_value_in_any_field_is_a_job_that_can_be_written_or_a_value_error(name: str, value: object) -> None:
    try:
        job = job_of({"id": "a", "due_ms": 1, "task": "t", name: value})
    except ValueError:
        return
    assert read_job(encode_job(job).encode()) == job
