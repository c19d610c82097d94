"""Canvases as Celery has them: set() and link() change them; dicts and names become calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hourwheel.celery import Celery, chain, chord, group, signature
from hourwheel.celery.result import AsyncResult
from hourwheel.errors import InvalidValue, NotRegistered

Run = Callable[..., None]


@pytest.fixture
def add(app: Celery) -> Any:
    @app.task(name="add")
    def add(x: int, y: int = 0) -> int:
        return x + y

    @app.task(name="total")
    def total(numbers: list[int]) -> int:
        return sum(numbers)

    return add


def test_options_set_on_a_canvas_stay_though_nobody_keeps_what_set_returns(app: Celery, add: Any, run: Run) -> None:
    for one in (add.s(1, 1), chain(add.s(1, 1)), group([add.s(1, 1)]), chord([add.s(1)], signature("total"))):
        one.set(queue="slow", countdown=30)
        result = one.apply_async()
        first = result[0] if isinstance(one, group) else result
        while first.parent is not None:
            first = first.parent
        job = first.job()
        assert (job.queue, job.due_ms - job.created_ms) == ("slow", 30_000)


def test_a_linked_call_is_called_though_nobody_keeps_what_link_returns(app: Celery, add: Any, run: Run) -> None:
    seen: list[Any] = []

    @app.task
    def note(value: Any, word: str) -> None:
        seen.append((word, value))

    @app.task
    def fail() -> None:
        raise ValueError("bad")

    @app.task
    def errback(request: Any, exc: Any, traceback: Any, word: str = "") -> None:
        seen.append((request.task.rpartition(".")[2], str(exc), "Traceback" in traceback, word))

    sig = add.s(1, 2)
    assert sig.link(note.s("one")) is not sig
    sig.link(note.s("two"))
    sig.delay()
    whole = chain(add.s(1), add.s(2))
    whole.link(note.s("chain"))
    whole.apply_async()
    bad = fail.s()
    bad.link_error(note.s("failed"))
    assert bad.on_error(errback.s(word="told")) is bad
    result = bad.delay()
    run()
    assert sorted(seen, key=str) == [
        ("chain", 3), ("fail", "bad", True, "told"), ("failed", result.id), ("one", 3), ("two", 3)
    ]  # fmt: skip


def test_a_signature_is_made_of_a_name_a_dict_and_a_signature(app: Celery, add: Any, run: Run) -> None:
    one = signature("add", args=(1,), kwargs={"y": 2}, countdown=5)
    two = signature(dict(one))
    three = app.signature("add", (4, 4), immutable=True)
    assert (two["task"], two["args"], two.kwargs, two.options) == ("add", [1], {"y": 2}, {"countdown": 5})
    results = [
        one.delay(),
        two.apply_async(),
        three.delay(9),
        signature(one).clone((), {"y": 5}).set(countdown=0).delay(),
    ]
    run(5)
    assert [each.get() for each in results] == [3, 3, 8, 6]
    assert three.freeze().id == three.id
    for wrong, kind in (("nobody", NotRegistered), (3, InvalidValue)):
        with pytest.raises(kind):
            signature(wrong)


def test_a_signature_keeps_its_options_on_the_way_through_a_dict(app: Celery, add: Any) -> None:
    app.conf.broker_url = "redis://localhost"
    callback = add.s(5)
    sig = add.s(1).set(priority=3, queue="slow", expires=60, countdown=5, link=callback)
    again = signature(dict(sig))
    assert again.options == sig.options
    assert again.options | {"link": 1} == {"priority": 3, "queue": "slow", "expires": 60, "countdown": 5, "link": 1}
    assert again.delay().job().priority == -3


def test_parts_of_all_kinds_and_empty_ones(app: Celery, add: Any, run: Run) -> None:
    assert group().apply_async().get() == []
    assert chain().apply_async() is None
    nested = chord([chain(add.s(1), add.s(2)), group([add.s(3), add.s(4)])], signature("total"))
    results = {
        "chunks": add.chunks(zip(range(5), range(5), strict=True), 2).apply_async(),
        "map": signature("total").type.map([[1, 2], [3]]).apply_async(),
        "starmap": add.starmap([(1, 2), (3, 4)]).apply_async(),
        "chord without body": chord([add.s(1), add.s(2)])(signature("total")),
        "piped": (group([add.s(1), add.s(2)]) | signature("total") | add.s(10)).apply_async(),
        "skewed": group([add.s(1), add.s(2)]).skew(0, step=5).apply_async(),
    }
    run(10)
    found = {name: one.get() for name, one in results.items()}
    assert found == {
        "chunks": [[0, 2], [4, 6], [8]], "map": [3, 3], "starmap": [3, 7], "chord without body": 3, "piped": 13,
        "skewed": [1, 2],
    }  # fmt: skip
    assert (len(nested.tasks), nested.body.name) == (3, "total")
    with pytest.raises(InvalidValue, match="1 or more"):
        add.chunks([], 0)


def test_the_links_of_a_chain_are_found_from_its_end(app: Celery, add: Any, run: Run) -> None:
    result = chain(add.s(1), add.s(2), add.s(3)).apply_async()
    run()
    ids = result.as_list()
    assert [AsyncResult(id).get() for id in ids] == [6, 3, 1]
    assert [one.id for _, one in AsyncResult(ids[-1]).iterdeps()] == ids[::-1]
    assert [value for _, value in AsyncResult(ids[-1]).collect()] == [1, 3, 6]
