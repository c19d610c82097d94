"""Members: the jobs of a canvas are found from the result of its last one, in any process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hourwheel import AsyncResult, Scheduler, State, chain, chord, group
from hourwheel.store import JsonStore, MemoryStore
from hourwheel.tasks.draft import GATHERED_TTL_MS
from hourwheel.testing import FakeClock


@pytest.fixture
def app() -> Iterator[Scheduler]:
    app = Scheduler(MemoryStore(), clock=FakeClock(1_000_000))
    yield app
    assert app.store.check() == []


@pytest.fixture
def note(app: Scheduler) -> Any:
    return note_of(app)


def note_of(app: Scheduler) -> Any:
    @app.task(name="note")
    def note(*given: Any) -> Any:
        return given[-1]

    return note


def names_of(results: list[AsyncResult[Any]]) -> list[Any]:
    """What the jobs were called with last, which is their name here."""
    return [one.args and one.args[-1] for one in results]


def test_a_chain_is_found_from_its_result_before_and_after_it_has_run(app: Scheduler, note: Any) -> None:
    last = chain(note.s("a"), note.s("b"), note.s("c")).delay()
    for _ in range(2):
        assert names_of(last.members()) == ["a", "b", "c"]
        assert names_of(last.parents) == ["b"]
        assert last.parent is not None and last.parent.parent is not None
        assert names_of(last.parent.children) == ["c"]
        assert last.parent.parent.parent is None
        assert (last.children, last.parent.parent.parents) == ([], [])
        while app.run_due():
            pass
    assert [one.get(0) for one in last.members()] == ["a", "b", "c"]


def test_the_header_of_a_chord_is_found_from_the_result_of_its_body(app: Scheduler, note: Any) -> None:
    body = chord([note.s(n) for n in range(3)], note.s("body")).delay()
    assert names_of(body.parents) == [0, 1, 2]
    assert names_of(body.members()) == [0, 1, 2, "body"]
    assert [one.cancel() for one in body.members()] == ["scheduled"] * 4


def test_each_comes_after_those_that_it_waits_for_and_once(app: Scheduler, note: Any) -> None:
    canvas = chain(note.s("a"), group(note.s("b"), chain(note.s("c"), note.s("d"))), note.s("e"))
    found = names_of(canvas.delay().members())
    assert sorted(found) == ["a", "b", "c", "d", "e"]
    assert (found[0], found[-1]) == ("a", "e")
    assert found.index("c") < found.index("d")


def test_a_group_of_chains_has_the_jobs_of_all_its_chains(app: Scheduler, note: Any) -> None:
    many = group(chain(note.s(n), note.s(n + 1)) for n in (0, 2)).delay()
    assert sorted(names_of(many.members())) == [0, 1, 2, 3]
    assert group().delay().members() == []


def test_linked_jobs_are_children_and_no_members(app: Scheduler, note: Any) -> None:
    last = chain(note.s("a"), note.s("b")).apply_async(link=note.s("linked"), link_error=note.si("failed"))
    assert names_of(last.members()) == ["a", "b"]
    linked, failed = last.children
    assert names_of([linked, failed]) == ["linked", "failed"]
    assert names_of(linked.members()) == ["a", "b", "linked"]
    assert failed.parents == last.members()


def test_a_call_alone_is_its_only_member_and_an_unknown_id_as_well(app: Scheduler, note: Any) -> None:
    for one in (note.delay("a"), app.AsyncResult("unknown")):
        assert (one.members(), one.parents, one.children, one.parent) == ([one], [], [], None)


def test_dropped_jobs_are_unknown_and_what_came_before_is_missing(app: Scheduler, note: Any) -> None:
    first, middle, last = chain(note.s("a"), note.s("b"), note.s("c")).delay().members()
    while app.run_due():
        pass
    middle.forget()
    assert last.members() == [middle, last]
    assert middle.state == "unknown"
    app.store.tidy(1_000_000 + GATHERED_TTL_MS + 10_000)
    assert last.members() == [last]
    assert first.state == "unknown"


def test_a_job_run_again_still_knows_its_parents(app: Scheduler, note: Any) -> None:
    first, last = chain(note.s("a"), note.s("b")).delay().members()
    while app.run_due():
        pass
    for one in (first, last):
        one.retry()
    assert last.parents == [first]
    assert first.children == []


def test_a_chain_of_a_thousand_is_found(app: Scheduler, note: Any) -> None:
    assert names_of(chain(note.s(n) for n in range(1000)).delay().members()) == list(range(1000))


def test_another_process_finds_them_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "tasks.json"
    app = Scheduler(JsonStore(path, durability="os"))
    note = note_of(app)
    ids = [chain(note.s("a"), note.s("b")).delay().id, chord([note.s(1), note.s(2)], note.s("body")).delay().id]
    app.run_due()
    app.store.close()
    later = Scheduler(JsonStore(path, durability="os"))
    assert [names_of(later.AsyncResult(id).members()) for id in ids] == [["a", "b"], [1, 2, "body"]]
    note_of(later)
    while later.run_due():
        pass
    assert {one.state for id in ids for one in later.AsyncResult(id).members()} == {State.SUCCEEDED}
    later.store.close()
