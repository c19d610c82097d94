"""Headers of calls: they go with the job, through retries, canvases and stores, and receivers of signals may add some."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hourwheel.celery import Celery, chain, chord, group, signals, signature
from hourwheel.celery.settings.call_plan import OWN_HEADERS, headers_in
from hourwheel.errors import InvalidValue, PayloadError
from hourwheel.store import MemoryStore
from hypothesis import given
from hypothesis import strategies as st

Run = Callable[..., None]
TRACE = {"trace": "7f", "baggage": {"user": [1, None]}}


@pytest.fixture
def look(app: Celery) -> Any:
    @app.task(bind=True)
    def look(self: Any, *_: Any) -> Any:
        return [self.request.headers, self.request.get("trace")]

    return look


@pytest.fixture
def traced() -> Iterator[list[dict[str, Any]]]:
    """A receiver that adds a header to each call, as instrumentation does; and what it was given."""
    seen: list[dict[str, Any]] = []

    def inject(headers: dict[str, Any], **_: Any) -> None:
        seen.append(dict(headers))
        headers["trace"] = "of the signal"

    signals.before_task_publish.connect(inject, weak=False)
    yield seen
    signals.before_task_publish.disconnect(inject)


def test_headers_of_a_call_are_those_of_the_request_and_its_attributes(app: Celery, look: Any, run: Run) -> None:
    plain, traced = look.delay(), look.apply_async(headers=TRACE)
    by_name = app.send_task(look.name, headers=TRACE)
    run()
    assert plain.get() == [None, None]
    assert traced.get() == by_name.get() == [TRACE, "7f"]


def test_a_request_shows_headers_as_celerys_does(app: Celery, run: Run) -> None:
    seen: list[Any] = []

    @app.task(bind=True)
    def look(self: Any) -> None:
        request = self.request
        seen.append([request.trace, request["trace"], "trace" in list(request.keys()), request.get("hostnam", 1)])
        with pytest.raises(AttributeError, match="no such header"):
            request.hostnam  # noqa: B018
        with pytest.raises(KeyError):
            request["hostnam"]
        assert request.hostname != "mine"

    look.apply_async(headers={"trace": "7f", "hostname": "mine"})
    nested = look.apply_async(headers={"trace": "7f", "headers": {"trace": "inside"}})
    run()
    assert seen == [["7f", "7f", True, 1]] * 2
    assert headers_in(nested.job().extra) == {"trace": "7f", "headers": {"trace": "inside"}}


def test_headers_stay_with_the_job_when_it_is_retried(app: Celery, run: Run) -> None:
    @app.task(bind=True, max_retries=1)
    def again(self: Any) -> Any:
        if self.request.retries == 0:
            raise self.retry(countdown=-5, headers=self.request.headers)
        return self.request.headers

    @app.task(bind=True, max_retries=1)
    def other(self: Any) -> None:
        raise self.retry(headers={"trace": "another"})

    kept, refused = again.apply_async(headers=TRACE), other.apply_async(headers=TRACE)
    run()
    assert kept.get() == TRACE
    with pytest.raises(InvalidValue, match="they stay those of the call"):
        refused.get()
    assert again.apply(headers=TRACE).get() == TRACE


def test_the_headers_of_a_canvas_are_those_of_all_its_calls_and_come_before_their_own(
    app: Celery, look: Any, run: Run
) -> None:
    one = look.s().set(headers={"own": 1})
    assert signature(dict(one)).options["headers"] == {"own": 1}
    many = group([look.s(), one]).set(headers=TRACE).apply_async()
    gathered = chord([look.s(), one])(look.si(), headers=TRACE)
    line = chain(one, look.si()).apply_async(headers=TRACE)
    alone, instead, without = one.delay(), one.apply_async(headers=TRACE), one.apply_async(headers={})
    run()
    assert many.get() == [[TRACE, "7f"]] * 2
    assert [one.get() for one in (gathered, line.parent, line, instead)] == [[TRACE, "7f"]] * 4
    assert (alone.get(), without.get()) == ([{"own": 1}, None], [None, None])


def test_calls_and_canvases_that_run_where_they_are_made_have_their_headers(app: Celery, look: Any) -> None:
    app.conf.task_always_eager = True
    one = look.s().set(headers={"own": 1})
    assert look.apply_async(headers=TRACE).get() == look.apply(headers=TRACE).get() == [TRACE, "7f"]
    assert one.delay().get() == group([one]).apply_async().get()[0] == [{"own": 1}, None]
    assert chain(one, look.si()).apply_async(headers=TRACE).get() == [TRACE, "7f"]
    assert group([one, look.s()]).apply(headers=TRACE).get() == [[TRACE, "7f"]] * 2
    with pytest.raises(PayloadError, match="headers"):
        look.apply_async(headers={"set": {1}})


def test_a_receiver_adds_headers_before_the_job_is_stored(
    app: Celery, look: Any, run: Run, traced: list[dict[str, Any]]
) -> None:
    one = look.apply_async(headers={"own": 1}, task_id="one")
    line = (look.si() | look.si()).apply_async()
    run()
    assert one.get() == [{"own": 1, "trace": "of the signal"}, "of the signal"]
    assert line.get() == line.parent.get() == [{"trace": "of the signal"}, "of the signal"]
    assert (traced[0]["own"], traced[0]["id"], traced[0]["task"], len(traced)) == (1, "one", look.name, 3)


def test_what_a_receiver_does_to_the_messages_own_headers_changes_nothing_and_what_cannot_be_stored_is_told(
    app: Celery, look: Any, run: Run
) -> None:
    added: dict[str, Any] = {"id": "another", "argsrepr": "<hidden>"}

    def inject(headers: dict[str, Any], **_: Any) -> None:
        headers.update(added)

    signals.before_task_publish.connect(inject, weak=False)
    try:
        result = look.apply_async(task_id="mine")
        added["span"] = object()
        with pytest.raises(PayloadError, match='headers\\["span"\\]'):
            look.delay()
    finally:
        signals.before_task_publish.disconnect(inject)
    run()
    assert (result.id, result.get()) == ("mine", [None, None])
    assert app.store.stats(0).accepted == 1


@pytest.mark.parametrize(
    ("headers", "error", "told"),
    [
        ("abc", InvalidValue, "a dict of JSON values"),
        ({"id": "x"}, InvalidValue, "such as id, got 'id'"),
        ({"when": object()}, PayloadError, 'headers\\["when"\\]'),
        ({1: 2}, PayloadError, "str keys"),
        ({"long": "x" * 300_000}, PayloadError, "headers"),
    ],
)
def test_headers_that_cannot_be_kept_are_refused_at_the_call(
    app: Celery, look: Any, headers: Any, error: type[Exception], told: str
) -> None:
    calls: list[Callable[[], Any]] = [
        lambda: look.apply_async(headers=headers),
        lambda: look.s().set(headers=headers),
        lambda: group([look.s()]).apply_async(headers=headers),
        lambda: app.send_task("elsewhere", headers=headers),
        lambda: app.schedule_many(look, [((), {})], headers=headers),  # type: ignore[call-arg]
        lambda: look.apply(headers=headers),
    ]
    for call in calls:
        with pytest.raises(error, match=told):
            call()
    assert app.store.stats(0).accepted == 0


def test_the_fires_of_a_schedule_have_its_headers_also_if_its_task_is_made_later(app: Celery, run: Run) -> None:
    app.conf.beat_schedule = {"look": {"task": "look", "schedule": 60.0, "options": {"headers": TRACE}}}
    seen: list[Any] = []

    @app.task(name="look", bind=True)
    def look(self: Any) -> None:
        seen.append(self.request.headers)

    run()
    run(61)
    assert seen == [TRACE]


def test_a_task_has_no_headers_of_its_own(app: Celery) -> None:
    with pytest.raises(InvalidValue, match=r"apply_async\(headers=...\)"):
        app.task(headers=TRACE, name="t")(lambda: None)


def test_headers_survive_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "tasks.json"
    app = Celery("proj", store=path, set_as_current=False)
    task = app.task(name="look", bind=True)(lambda self: self.request.headers)
    id = task.apply_async(headers=TRACE).id
    app.close()
    again = Celery("proj", store=path, set_as_current=False)
    again.task(name="look", bind=True)(lambda self: self.request.headers)
    again.run_due()
    assert again.AsyncResult(id).get() == TRACE
    again.close()


JSON = st.recursive(st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3), st.lists, max_leaves=5)


@given(st.dictionaries(st.text(max_size=4).filter(lambda name: name not in OWN_HEADERS), JSON, max_size=3))
def test_any_headers_come_back_as_they_were(headers: dict[str, Any]) -> None:
    app = Celery(store=MemoryStore(), set_as_current=False)
    task = app.task(name="t")(lambda: None)
    assert headers_in(task.apply_async(headers=headers).job().extra) == headers


@pytest.mark.parametrize("extra", ['{"celery":7}', '{"celery":{"headers":[1]}}', '{"other":{}}', '{"celery":{}}'])
def test_what_somebody_else_keeps_with_a_job_is_no_headers_and_stays(extra: str, look: Any, app: Celery) -> None:
    assert headers_in(extra) == {}
    job = look.delay().job()._replace(id="odd", extra=extra)
    app.submit(job)
    assert app.AsyncResult("odd").job().extra == extra
