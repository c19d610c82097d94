"""Shapes of canvases, as the peers' own tests have them: nesting, nothing, links, and options of the whole."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from hourwheel import DuplicateJob, InvalidValue, JobFailed, ResultTimeout, Scheduler, State, chain, chord, group, task
from hourwheel.results.many import Results
from hourwheel.shape import is_shape
from hourwheel.store import MemoryStore
from hourwheel.testing import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(1_000_000)


@pytest.fixture
def app(clock: FakeClock) -> Iterator[Scheduler]:
    app = Scheduler(MemoryStore(), clock=clock)
    yield app
    assert app.store.check() == []


@pytest.fixture
def t(app: Scheduler) -> Any:
    """i(x), which returns it; add(a, b); total(xs); fail(...); note(...), which appends what it is given to ``said``."""
    said: list[Any] = []

    @app.task(name="i")
    def i(x: Any = None) -> Any:
        return x

    @app.task(name="add")
    def add(a: int, b: int) -> int:
        return a + b

    @app.task(name="total")
    def total(xs: list[int]) -> int:
        return sum(xs)

    @app.task(name="fail")
    def fail(*given: Any) -> None:
        raise ValueError(f"no {given}")

    @app.task(name="note")
    def note(*given: Any) -> None:
        said.append(given[0] if len(given) == 1 else given)

    return SimpleNamespace(i=i, add=add, total=total, fail=fail, note=note, said=said)


def drain(app: Scheduler) -> None:
    while app.run_due():
        pass


# ---- nesting -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "result"),
    [
        (lambda t: group(t.i.si(1), t.i.si(2), chain(t.i.si(5), group(t.i.si(3), t.i.si(4)))), [1, 2, [3, 4]]),
        (lambda t: chord([chain(t.i.s(42), group(t.i.s(), t.i.s()))], t.i.s()), [[42, 42]]),
        (lambda t: chord([chain(t.i.s(1), group(t.i.s(), t.i.s())), t.i.s(1) | t.i.s()], t.i.s()), [[1, 1], 1]),
        (lambda t: group(chain(group(t.i.s(1), chain(t.i.s(2), group(t.i.s(), t.i.s()))))), [[1, [2, 2]]]),
        (lambda t: group(chord([t.i.si(42)], t.i.s())), [[42]]),
        (lambda t: group(chord([chord([t.i.si(1), t.i.si(2)], t.i.si(3))], t.i.s())), [[3]]),
        (lambda t: group(t.i.si(1), group(t.i.si(2), group(t.i.si(3), t.i.si(4)))), [1, 2, 3, 4]),
        (lambda t: chord([group(t.i.s(42), t.i.s(42))], t.i.s()), [42, 42]),
        (lambda t: chain(t.i.s(5), group(t.i.s(), t.i.s()), group(t.total.s(), t.i.s()), t.i.s()), [10, [5, 5]]),
        (lambda t: group(chord([t.i.s(n), t.i.s(n)], t.total.s()) for n in range(3)), [0, 2, 4]),
        (lambda t: chord(t.i.s(7), t.i.s()), [7]),
        (lambda t: group(t.i.s(1), t.i.s(1)) | group(t.total.s(), chain(t.i.s(), group(t.i.s()))), [2, [[1, 1]]]),
    ],
)
def test_results_are_nested_as_the_calls_are_and_groups_in_groups_are_one(
    app: Scheduler, t: Any, make: Any, result: Any
) -> None:
    held = make(t).delay()
    drain(app)
    assert held.get() == result


def test_a_nested_result_is_looked_at_as_a_whole_and_in_parts(app: Scheduler, t: Any) -> None:
    held = group(t.i.s(1), chain(t.i.s(2), group(t.i.s(), t.fail.s()))).delay()
    assert (len(held), len(held.ids), repr(held), held.ready()) == (2, 3, "<Results: 2 jobs>", False)
    drain(app)
    inner = held[1]
    assert isinstance(inner, Results) and len(inner.ids) == 2
    assert (held.ready(), held.failed(), inner.successful(), held.completed_count()) == (True, True, False, 1)
    assert held[0].get() == inner[0].result - 1 == 1
    assert [len(part) for part in held[1:]] == [2]
    assert len(held.forget()) == 3


@pytest.mark.parametrize("size", [1, 2, 3])
def test_a_query_of_one_row_gives_a_list_as_one_of_two_does(app: Scheduler, t: Any, size: int) -> None:
    calls = [t.i.s(n) for n in range(size)]
    held = [
        group(calls).delay(),
        chord(calls, t.i.s()).delay(),
        (t.i.s(0) | group(t.i.si(n) for n in range(size)) | t.i.s()).delay(),
        chain(group(calls), t.i.s()).delay(),
    ]
    drain(app)
    assert [one.get() for one in held] == [[*range(size)]] * 4


# ---- nothing -----------------------------------------------------------------------------------------------


def test_a_query_that_finds_nothing_is_no_error(app: Scheduler, t: Any) -> None:
    held = [
        (group([]).delay(), []),
        (group(t.i.s(n) for n in ()).delay(), []),
        (chord([], t.i.s()).delay(), []),
        (chord([], t.add.s([1])).delay(), [1]),
        (chord([])(t.total.s()), 0),
        (chord([], t.note.si("alone")).delay(), None),
        ((group([]) | t.total.s()).delay(), 0),
        (chain(t.i.s(1), group([]), t.i.s()).delay(), []),
        (chain(t.i.s(1), group([])).delay(), []),
        (chain(t.i.s(1), chain(), t.add.s(2)).delay(), 3),
        (group(chain(), t.i.s(1), group([])).delay(), [1]),
        (group(t.i.s(1), chain(t.i.s(2), group([]))).delay(), [1, []]),
        (chain(group([]), group([])).delay(), []),
    ]
    drain(app)
    assert [one.get(timeout=0) for one, _ in held] == [result for _, result in held]
    assert t.said == ["alone"]


def test_a_chain_of_nothing_is_nothing(app: Scheduler) -> None:
    assert chain().delay() is None
    assert chain([]).apply_async(countdown=5) is None
    assert repr(chain()) == "chain()"


def test_what_follows_an_empty_group_still_waits_for_what_was_before_it(app: Scheduler, t: Any) -> None:
    held = chain(t.fail.s(), group([]), t.i.s()).delay()
    drain(app)
    assert held.state == "failed"


def test_an_empty_group_does_not_hide_the_error_of_what_was_before_it(app: Scheduler, t: Any) -> None:
    held = [chain(t.fail.s(), group([])).delay(), group(t.i.s(1), chain(t.fail.s(), group([]))).delay()]
    assert [one.ready() for one in held] == [False, False]
    with pytest.raises(ResultTimeout):
        held[0].get(timeout=0)
    drain(app)
    for one in held:
        assert (one.ready(), one.successful(), one.failed()) == (True, False, True)
        with pytest.raises(JobFailed, match="no"):
            one.get()


@pytest.mark.parametrize(
    "make",
    [
        lambda n: group([]).apply_async(link=n),
        lambda n: group([]).set(link=n, link_error=n).delay(),
        lambda n: chain(group([])).apply_async(link=n, link_error=n),
        lambda n: chain(group([]).set(link=n)).delay(),
    ],
)
def test_a_link_of_an_empty_group_is_called_with_nothing(app: Scheduler, t: Any, make: Any) -> None:
    assert make(t.note.s()).get() == []
    drain(app)
    assert t.said == [[]]


def test_nothing_can_be_cancelled_and_forgotten() -> None:
    nothing = group([]).delay()
    assert (nothing.get(), nothing.cancel(), nothing.forget(), nothing.ready(), bool(group([]))) == (
        [],
        [],
        [],
        True,
        True,
    )


def test_a_bulk_of_nothing_with_a_link_is_nothing(app: Scheduler, t: Any) -> None:
    assert app.schedule_many(t.i, [], link=t.note.s()).get() == []


# ---- links -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda t, n: t.add.s(1, 2).set(link=n).delay(), [3]),
        (lambda t, n: chain(t.add.s(1, 2).set(link=n), t.add.s(3)).delay(), [3]),
        (lambda t, n: chain(t.add.s(1, 2), t.add.s(3).set(link=n)).delay(), [6]),
        (lambda t, n: group(t.add.s(1, 2).set(link=n), t.add.s(3, 4)).delay(), [3]),
        (lambda t, n: chord([t.i.s(1).set(link=n), t.i.s(2)], t.total.s().set(link=n)).delay(), [1, 3]),
        (lambda t, n: chord([], t.total.s().set(link=n)).delay(), [0]),
        (lambda t, n: t.i.apply_async((1,), link=t.add.s(1).set(link=n)), [2]),
        (lambda t, n: t.i.apply_async((1,), link=t.add.s(1).set(link=[n, t.add.s(1).set(link=n)])), [2, 3]),
        (lambda t, n: t.i.apply_async((1,), link=chain(t.add.s(1), t.add.s(1), n)), [3]),
        (lambda t, n: t.i.apply_async((1,), link=group(n, t.add.s(1).set(link=n))), [1, 2]),
        (lambda t, n: t.i.apply_async((1,), link=chord([t.add.s(1), t.add.s(2)], n)), [[2, 3]]),
        (lambda t, n: chain(t.i.s(1), t.add.s(1)).apply_async(link=n), [2]),
        (lambda t, n: chain(t.i.s(1), t.add.s(1)).set(link=n).delay(), [2]),
        (lambda t, n: (chain(t.i.s(1), t.add.s(1)).set(link=n) | t.add.s(1)).delay(), [2]),
        (lambda t, n: group(t.i.s(1), t.i.s(2)).apply_async(link=n), [[1, 2]]),
        (
            lambda t, n: group(group(t.i.s(1), t.i.s(2)).set(link=n), t.i.s(3)).apply_async(link=n),
            [[1, 2], [[1, 2], 3]],
        ),
        (lambda t, n: chord([t.i.s(1)])(t.total.s(), link=n), [1]),
        (lambda t, n: t.add.options(link=n).after(1).delay(1, 2), [3]),
    ],
)
def test_a_link_is_called_wherever_the_call_stands(
    app: Scheduler, t: Any, clock: FakeClock, make: Any, said: list[Any]
) -> None:
    make(t, t.note.s())
    drain(app)
    clock.advance(1)
    drain(app)
    assert sorted(t.said, key=str) == sorted(said, key=str)


@pytest.mark.parametrize(
    ("make", "times"),
    [
        (lambda t, n: t.fail.s().set(link_error=n).delay(), 1),
        (lambda t, n: chain(t.fail.s().set(link_error=n), t.add.s(3)).delay(), 1),
        (lambda t, n: chain(t.i.s(1), t.fail.s().set(link_error=n)).delay(), 1),
        (lambda t, n: chain(t.fail.s(), t.i.s().set(link_error=n)).delay(), 1),
        (lambda t, n: group(t.fail.s().set(link_error=n), t.i.s(1)).delay(), 1),
        (lambda t, n: chord([t.fail.s()], t.total.s().set(link_error=n)).delay(), 1),
        (lambda t, n: chord([t.fail.s().set(link_error=n)], t.total.s()).delay(), 1),
        (lambda t, n: t.fail.apply_async(link_error=t.fail.s().set(link_error=n)), 1),
        (lambda t, n: (t.fail.signature(link_error=n) | t.add.s(1)).delay(), 1),
        (lambda t, n: t.i.apply_async((1,), link=t.fail.s().set(link_error=n)), 1),
        (lambda t, n: t.fail.apply_async(link_error=chain(n, t.note.si("then"))), 2),
        (lambda t, n: t.fail.apply_async(link_error=group(n, n)), 2),
        (lambda t, n: chain(t.i.s(1), t.fail.s(), t.i.s(), t.i.s()).apply_async(link_error=n), 1),
        (lambda t, n: chain(t.i.s(1), t.i.s()).apply_async(link_error=n), 0),
        (lambda t, n: group(t.fail.s(), t.i.s(1), t.fail.s()).apply_async(link_error=n), 2),
        (lambda t, n: chord([t.fail.s(), t.i.s(1)], t.i.s()).apply_async(link_error=n), 1),
        (lambda t, n: (chain(t.i.s(1), t.i.s()).set(link_error=n) | t.fail.s()).delay(), 0),
    ],
)
def test_an_errback_is_called_wherever_the_call_stands(app: Scheduler, t: Any, make: Any, times: int) -> None:
    make(t, t.note.s())
    drain(app)
    assert len(t.said) == times


def test_the_errback_of_a_chain_is_told_which_of_it_failed_first(app: Scheduler, t: Any) -> None:
    chain(t.i.s(1), t.fail.s(), t.i.s()).apply_async(link_error=t.note.s())
    drain(app)
    (id,) = t.said
    assert app.AsyncResult(id).name == "fail"


def test_calls_by_name_and_in_bulk_are_linked_each(app: Scheduler, t: Any) -> None:
    app.send_task("i", (1,), link=t.note.s())
    app.schedule_many(t.i, [((n,), {}) for n in (2, 3)], link=t.note.s())
    app.schedule_many(t.fail, [((), {})], link_error=t.note.si("failed"))
    drain(app)
    assert t.said == [1, 2, 3, "failed"]


def test_a_link_to_a_job_that_has_ended_already_does_not_wait_for_ever(app: Scheduler, t: Any) -> None:
    t.i.apply_async((1,), task_id="one")
    drain(app)
    assert t.i.apply_async((1,), task_id="one", link=t.note.s()).get() == 1
    assert app.store.stats(0).scheduled == 0


def test_a_job_that_is_there_already_cannot_become_a_member(app: Scheduler, t: Any) -> None:
    t.i.apply_async((1,), task_id="one")
    accepted = app.store.stats(0).accepted
    with pytest.raises(DuplicateJob, match="job one is already in the store"):
        chain(t.i.s(1).set(task_id="one"), t.i.s()).delay()
    with pytest.raises(InvalidValue, match="task_id must be a different one for each call"):
        chain(t.i.s(1).set(task_id="two"), t.i.s().set(task_id="two")).delay()
    assert app.store.stats(0).accepted == accepted
    held = chain(t.i.s(1).set(task_id="two"), t.i.s().set(task_id="three", link=t.note.s().set(task_id="four"))).delay()
    drain(app)
    assert held.id == "three" and t.said == [1]
    assert [app.AsyncResult(id).state for id in ("two", "three", "four")] == ["succeeded"] * 3


# ---- the time and the options of the whole -----------------------------------------------------------------


@pytest.mark.parametrize(
    "make",
    [
        lambda t: t.i.s(1).set(countdown=1).apply_async(countdown=100),
        lambda t: (t.i.after(1).s(1) | t.i.s()).apply_async(countdown=100),
        lambda t: (t.i.after(1).s(1) | t.i.s()).delay(countdown=100),
        lambda t: (t.i.at(datetime.fromtimestamp(1001, UTC)).s(1) | t.i.s()).apply_async(countdown=100),
        lambda t: (t.i.after(1).s(1) | t.i.s()).set(countdown=1).apply_async(eta=datetime.fromtimestamp(1100, UTC)),
        lambda t: group(t.i.after(1).s(1), chain(t.i.after(1).s(1), t.i.s())).apply_async(countdown=100),
        lambda t: chord([t.i.after(1).s(1)], t.i.s()).apply_async(countdown=100),
        lambda t: chord([t.i.after(1).s(1)])(t.i.s(), countdown=100),
        lambda t: chord([], t.i.after(1).s()).apply_async(countdown=100),
    ],
)
def test_the_time_of_the_call_wins_over_that_of_its_parts(app: Scheduler, t: Any, clock: FakeClock, make: Any) -> None:
    held = make(t)
    clock.advance(99)
    assert app.run_due() == 0
    clock.advance(1)
    drain(app)
    assert held.ready()


def test_a_part_in_the_middle_has_its_own_countdown(app: Scheduler, t: Any, clock: FakeClock) -> None:
    held = (t.i.s(1) | group(t.i.s(), t.i.s()).set(countdown=10) | t.total.s()).apply_async(countdown=100)
    clock.advance(100)
    drain(app)
    clock.advance(9)
    assert app.run_due() == 0
    clock.advance(1)
    drain(app)
    assert held.get() == 2


def test_options_of_the_whole_hold_for_each_call_and_not_for_what_is_linked(app: Scheduler, t: Any) -> None:
    canvas = chain(t.i.s(1).set(queue="own", link=t.note.s()), group(t.i.s(), t.i.s()), t.total.s()).set(priority=3)
    canvas.apply_async(queue="mail", result_ttl=5, max_crashes=2, expires=60)
    jobs = {(job.task, job.queue, job.priority, job.max_crashes, job.expires_ms is None) for job in app.store.scan()}
    assert jobs == {("i", "mail", 3, 2, False), ("total", "mail", 3, 2, False), ("note", "default", 0, 3, True)}


@pytest.mark.parametrize("name", ["key", "task_id", "on_conflict", "max_wait"])
def test_what_cannot_be_said_of_several_calls_is_refused(app: Scheduler, t: Any, name: str) -> None:
    value: Any = {"on_conflict": "replace", "max_wait": 5}.get(name, "k")
    for canvas in (t.i.s(1) | t.i.s(), group(t.i.s(1)), chord([t.i.s(1)], t.i.s())):
        with pytest.raises(InvalidValue, match=f"{name} must be left out for a chain, group or chord"):
            canvas.apply_async(**{name: value})
    with pytest.raises(InvalidValue, match="option must be one of"):
        chain(t.i.s(1)).apply_async(colour="blue")
    with pytest.raises(InvalidValue, match="args must be a tuple or list, got 'ab'"):
        chain(t.i.s()).apply_async("ab")
    assert app.store.stats(0).accepted == 0


def test_arguments_of_the_whole_go_to_the_first_calls(app: Scheduler, t: Any) -> None:
    held = [
        chain(t.add.s(1), t.add.s(10)).delay(4),
        chain(t.add.s(1), t.add.s(10))(4),
        chain(t.add.s(), t.add.s(10)).apply_async((4,), {"b": 1}),
        group(t.add.s(1), t.add.s(2)).delay(4),
        chord([t.add.s(1), t.add.s(2)], t.total.s()).apply_async((4,)),
        chain(t.i.si(0), t.add.s(10)).delay(4),
    ]
    drain(app)
    assert [one.get() for one in held] == [15, 15, 15, [5, 6], 11, 10]


def test_a_time_beyond_what_a_part_can_wait_for_is_refused(app: Scheduler, t: Any) -> None:
    for canvas in (
        chain(t.i.s(1).set(expires=5), t.i.s()),
        chain(t.i.s(1), t.i.s().set(expires=5)),
        chord([t.i.s(1)], t.i.s().set(expires=5)),
    ):
        with pytest.raises(InvalidValue, match="expires must be later than the job is due"):
            canvas.apply_async(countdown=10)
    with pytest.raises(InvalidValue, match="expires must be later"):
        chain(t.i.s(1).set(countdown=3), t.i.s().set(countdown=3, expires=5)).delay()
    assert app.store.stats(0).accepted == 0


# ---- whose they are ----------------------------------------------------------------------------------------


def test_calls_of_two_schedulers_are_not_put_into_one_store(app: Scheduler, t: Any) -> None:
    other = Scheduler(MemoryStore())
    theirs = other.task(name="theirs")(lambda *given: None)
    for make in (lambda: chain(t.i.s(1), theirs.s()).delay(), lambda: t.i.apply_async((1,), link=theirs.s())):
        with pytest.raises(InvalidValue, match="the calls of a canvas must be of tasks of one scheduler"):
            make()
    assert app.store.stats(0).accepted == other.store.stats(0).accepted == 0


def test_a_shared_task_joins_the_scheduler_of_the_others(app: Scheduler, t: Any) -> None:
    shared = task(name="shared in a canvas")(lambda *given: len(given))
    held = chain(shared.s(1, 2), t.i.s()).delay()
    drain(app)
    assert held.get() == 2


# ---- what is stored ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "fits"),
    [("", True), ("[0,[1]]", True), ("[]", True), ("[2]", False), ("[-1]", False), ("0", False), ("[", False),
     ("[true]", False), ('["0"]', False), (None, False), ("[" * 9999, False)],
)  # fmt: skip
def test_a_shape_that_would_end_a_ticker_is_not_admitted(text: Any, fits: bool) -> None:
    assert is_shape(text, 2) is fits


def test_a_nested_chord_survives_a_restart(tmp_path: Any, clock: FakeClock) -> None:
    def opened() -> tuple[Scheduler, Any]:
        app = Scheduler(tmp_path / "tasks.json", clock=clock)
        return app, app.task(name="i")(lambda x=None: x)

    app, i = opened()
    id = chord([i.s(1), chain(i.s(2), group(i.s(), i.s()))], i.s()).delay().id
    app.run_due()
    app.close()
    app, _ = opened()
    drain(app)
    held = app.AsyncResult(id)
    assert held.get() == [1, [2, 2]]
    assert held.state == State.SUCCEEDED and app.store.check() == []
    app.close()
