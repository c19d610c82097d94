"""The short way of reading a job with nothing but defaults gives what the long way gives, or leaves it to that."""

from __future__ import annotations

from itertools import combinations, product

import pytest
import simplejson
from hourwheel.job import Job, State, changing
from hourwheel.payload import encode_call
from hourwheel.store import codec
from hourwheel.store.codec import UnreadableJob, decode_job, encode_job, lane
from hypothesis import given
from hypothesis import strategies as st

from tests.kit.jobs import a_job

_NUMBERS = ["5", "0", "007", "-1", "-", "1e3", "1.0", '"5"', "true", "", str(1 << 62), "9" * 18, "9" * 19, "\u0665"]
_TEXTS = ["a", "", '\\"', '"', "\\u0041", "\\", "\t", "\x00", "\n", "\x7f", "\xe9", ',"payload":', '","id":"b']
PARTS = {
    '{"id":"': _TEXTS,
    '","due_ms":': _NUMBERS,
    ',"task":"': _TEXTS,
    '","created_ms":': _NUMBERS,
    ',"payload":': ["[[],{}]", "", '[["\\"returned\\":"],{}]', '[["x,\\"payload\\":"],{}]', "[[\n],{}]", "[[\xe9],{}]"],
    "": ["}", "", "]", "}}", "} ", "\n}", "}\n", ',"returned":1}', ',"queue":"q"}', ',"payload":[[2],{}]}'],
}


def read(text: str) -> Job | None:
    try:
        return decode_job(text.encode())
    except UnreadableJob:
        return None


def test_a_job_is_read_the_short_way_as_the_long_way() -> None:
    """Any two parts of the text are what nobody wrote who is Hourwheel; a blank makes it a text that is read the long way."""
    right = {key: values[0] for key, values in PARTS.items()}
    seen = set()
    for one, other in combinations(PARTS, 2):
        for first, second in product(PARTS[one], PARTS[other]):
            text = "".join(key + value for key, value in {**right, one: first, other: second}.items())
            assert read(text) == read(text.replace("{", "{ ", 1)), text
            seen.add(read(text))
    assert len(seen) > 50, "hardly any of the texts was a job"


@given(st.text(min_size=1), st.integers(0, 1 << 61), st.lists(st.text() | st.integers(0, 9)), st.text(min_size=1))
def test_what_is_written_of_a_new_job_comes_back(id: str, due_ms: int, args: list[object], task: str) -> None:
    job = Job(id=id, task=task, due_ms=due_ms, payload=encode_call(tuple(args), {}), created_ms=due_ms)
    assert decode_job(encode_job(job).encode()) == job


def test_most_jobs_take_the_short_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codec, "loads", lambda text: pytest.fail(f"{text} was parsed"))
    job = a_job("a", payload='[[1,"x"],{}]')
    assert decode_job(encode_job(job).encode()) == job
    with pytest.raises(pytest.fail.Exception):
        decode_job(encode_job(job._replace(queue="q")).encode())


def test_changing_is_replace() -> None:
    job = a_job("a")
    begin = changing("state", "wakes", "attempt")
    changed = begin(job, State.RUNNING, ("b",), 1)
    assert changed == job._replace(state=State.RUNNING, attempt=1, wakes=("b",))
    assert type(changed) is Job
    assert simplejson.loads(encode_job(changing("queue")(job, "q")))["queue"] == "q"
    with pytest.raises(ValueError, match="not in tuple"):
        changing("wishes")


def test_what_is_told_at_a_glance_is_what_reading_tells() -> None:
    right = {key: values[0] for key, values in PARTS.items()}
    told = 0
    for one, other in combinations(PARTS, 2):
        for first, second in product(PARTS[one], PARTS[other]):
            text = "".join(key + value for key, value in {**right, one: first, other: second}.items())
            job = read(text)
            for due_ms in (0, 5):
                if job is not None and (seen := lane(text.encode(), due_ms)) is not None:
                    told += 1
                    assert (job.due_ms, job.state, (job.queue, job.priority)) == (due_ms, "scheduled", seen), text
    assert told > 50


@pytest.mark.parametrize("queue", ["default", "mail"])
@pytest.mark.parametrize("priority", [0, 7, -7])
@pytest.mark.parametrize("key", [None, "k"])
def test_jobs_of_any_queue_and_priority_wait_as_text(queue: str, priority: int, key: str | None) -> None:
    raw = encode_job(a_job("a", 7, queue=queue, priority=priority, key=key)).encode()
    assert lane(raw, 7) == (queue, priority)
    assert lane(raw, 8) is None


def test_a_job_whose_text_is_odd_is_decoded() -> None:
    swapped = b'{"id":"a","due_ms":7,"task":"t","created_ms":0,"priority":1,"queue":"q","payload":[[],{}]}'
    assert (decode_job(swapped).queue, lane(swapped, 7)) == ("q", None)


@pytest.mark.parametrize("text", ["[1]", "7", "null", '"a job"', '["ä"]', '[{"id":"a","due_ms":1,"payload":[[],{}]}]'])
def test_a_line_of_json_that_is_no_object_is_refused_with_the_line_and_what_to_do(text: str) -> None:
    with pytest.raises(UnreadableJob) as caught:
        decode_job(text.encode())
    assert str(caught.value) == (
        f"a job cannot be read: a job must be a JSON object, in {text.encode()!r}; see `hourwheel repair`"
    )
