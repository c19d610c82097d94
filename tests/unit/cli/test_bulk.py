"""``hourwheel retry``, ``cancel``, ``forget`` and ``purge`` of all jobs that options choose."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hourwheel.cli.commands.changing import bulk
from hourwheel.contract import Found
from hourwheel.job import Claim, Failed, Failure, Fire, State, Succeeded
from hourwheel.store import JsonStore
from hourwheel.testing import FakeClock
from hourwheel.turn import effects

from .conftest import DAY_MS, MINUTE_MS, NOW_MS, Run, job

MANY = 2_500
ERROR = Failure("TimeoutError", "no answer")


def opened(path: Path) -> JsonStore:
    return JsonStore(path, durability="os", clock=FakeClock(NOW_MS))


def states(path: Path) -> dict[str, State]:
    store = opened(path)
    found = {job.id: job.state for job in store.scan()}
    store.close()
    return found


def fail(store: JsonStore, claims: Sequence[Claim]) -> None:
    assert store.settle(effects([(claim, Failed(error=ERROR)) for claim in claims]), NOW_MS) == []


@pytest.fixture
def failed(tmp_path: Path) -> Path:
    """A store with 2,500 failed jobs, and one that is scheduled."""
    path = tmp_path / "failed.json"
    store = opened(path)
    store.add([job(f"job-{n:04d}", NOW_MS - 5_000) for n in range(MANY)], 0, fresh=True)
    fail(store, store.claim("w", NOW_MS, MANY))
    store.add([job("waits", NOW_MS + DAY_MS)], 0)
    store.close()
    return path


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch, terminal: Callable[[int], None]) -> Callable[[str], None]:
    """``answer("y")``: somebody is at the terminal, and will type this."""

    def answer(text: str) -> None:
        terminal(80)
        monkeypatch.setattr(sys, "stdin", io.StringIO(text))

    return answer


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[JsonStore], None]], None]:
    """``meanwhile(do)``: do this to the store after the jobs have been chosen and before they are changed."""

    def meanwhile(do: Callable[[JsonStore], None]) -> None:
        change_all = bulk._change_all

        def changing(store: Any, *rest: Any) -> Any:
            other = opened(Path(store.path))
            do(other)
            other.close()
            return change_all(store, *rest)

        monkeypatch.setattr(bulk, "_change_all", changing)

    return meanwhile


def test_a_great_many_jobs_are_retried_with_a_write_for_each_thousand(
    run: Run, failed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fifteen hundred retries once took fifteen seconds: a write each."""
    writes: list[int] = []
    commit = JsonStore._commit

    def counted(self: JsonStore, new: Any, records: Any) -> None:
        writes.append(len(records))
        commit(self, new, records)

    monkeypatch.setattr(JsonStore, "_commit", counted)
    assert run("retry", failed, "--error", "TimeoutError", "--yes") == (0, "2,500 jobs scheduled again\n", "")
    assert writes == [1, 1, 1]
    assert set(states(failed).values()) == {State.SCHEDULED}


@pytest.mark.parametrize(
    ("words", "store_of", "left"),
    [
        (["retry", "--failed"], State.SCHEDULED, {"bad"}),
        (["retry", "--state", "succeeded"], State.SCHEDULED, {"done"}),
        (["cancel", "--queue", "mail"], State.CANCELLED, {"mail"}),
        (["cancel", "--all"], State.CANCELLED, {"soon", "late", "mail"}),
        (["cancel", "--all", "--limit", "1"], State.CANCELLED, {"late"}),
        (["cancel", "--task", "app.r*"], State.CANCELLED, {"soon", "late"}),
        (["forget", "--older", "2"], None, {"bad", "done"}),
        (["forget", "--state", "failed"], None, {"bad"}),
        (["purge"], State.CANCELLED, {"soon", "late", "mail"}),
        (["purge", "-Q", "mail"], State.CANCELLED, {"mail"}),
        (["purge", "-X", "mail"], State.CANCELLED, {"soon", "late"}),
    ],
)
def test_what_is_chosen_is_changed_and_nothing_else(
    run: Run, store: Path, words: list[str], store_of: State | None, left: set[str]
) -> None:
    before = states(store)
    status, _, err = run(*words, "--store", store, "--yes")
    assert (status, err) == (0, "")
    after = states(store)
    assert {id for id in before if before[id] is not after.get(id)} == left
    assert {after.get(id) for id in left} == {store_of}


def test_a_running_job_is_asked_to_stop_only_if_running_ones_are_chosen(run: Run, store: Path) -> None:
    assert run("cancel", store, "--all", "--yes")[1] == "3 jobs cancelled\n"
    assert _cancel_ms(store, "run") is None
    assert run("cancel", store, "--state", "running", "--yes")[0] == 0
    assert _cancel_ms(store, "run") == NOW_MS


def _cancel_ms(path: Path, id: str) -> int | None:
    store = opened(path)
    found = store.get([id])[0]
    store.close()
    assert found is not None
    return found.cancel_ms


# ---- asking ------------------------------------------------------------------------------------------------

BULK = [["retry", "--failed"], ["cancel", "--all"], ["forget", "--all"], ["purge"]]


@pytest.mark.parametrize("words", BULK, ids=" ".join)
@pytest.mark.parametrize("text", ["", "\n", "n\n", "no\n", "yess\n"])
def test_without_a_clear_yes_nothing_is_changed(
    run: Run, store: Path, answer: Callable[[str], None], words: list[str], text: str
) -> None:
    before = states(store)
    answer(text)
    status, out, err = run(*words, "--store", store)
    assert (status, out) == (1, "")
    assert err.endswith("? [y/N] hourwheel: nothing was changed\n")
    assert states(store) == before


@pytest.mark.parametrize("words", BULK, ids=" ".join)
@pytest.mark.parametrize("text", ["y\n", "Yes\n", " y "])
def test_with_a_yes_it_is_done(
    run: Run, store: Path, answer: Callable[[str], None], words: list[str], text: str
) -> None:
    before = states(store)
    answer(text)
    assert run(*words, "--store", store)[0] == 0
    assert states(store) != before


def test_the_question_says_how_many_of_which(run: Run, store: Path, answer: Callable[[str], None]) -> None:
    answer("n\n")
    assert run("forget", store, "--all")[2].startswith(f"forget 2 jobs of {store} (1 failed, 1 succeeded)? [y/N] ")


@pytest.mark.parametrize("words", BULK, ids=" ".join)
def test_a_script_must_say_yes(run: Run, store: Path, words: list[str]) -> None:
    before = states(store)
    status, out, err = run(*words, "--store", store)
    assert (status, out) == (2, "")
    assert "there is no terminal to ask at; pass --yes" in err
    assert states(store) == before


def test_where_there_is_nothing_to_do_nobody_is_asked(run: Run, store: Path) -> None:
    assert run("cancel", store, "--queue", "sms")[:2] == (0, "no jobs\n")
    assert run("retry", store, "--older", "3d", "--json")[:2] == (
        0,
        '{\n  "chosen": 0,\n  "scheduled_again": 0,\n  "left": {}\n}\n',
    )


@pytest.mark.parametrize("words", BULK, ids=" ".join)
def test_a_dry_run_lists_the_jobs_and_changes_none(run: Run, store: Path, words: list[str]) -> None:
    before = states(store)
    listed = {one["id"] for one in json.loads(run(*words, "--store", store, "--dry-run", "--json")[1])}
    out = run(*words, "--store", store, "--dry-run")[1]
    assert {row.split()[0] for row in out.splitlines()[1:]} == listed
    assert states(store) == before
    run(*words, "--store", store, "--yes")
    after = states(store)
    assert {id for id in before if before[id] is not after.get(id)} == listed


def test_ids_are_not_dry_run_by_accident(run: Run, store: Path) -> None:
    before = states(store)
    assert run("cancel", "soon", "--store", store, "--dry-run")[0] == 2
    assert states(store) == before


def test_a_queue_that_is_mistyped_is_guessed(run: Run, store: Path) -> None:
    told = "hourwheel: the store has no job of queue 'mial'; did you mean 'mail'?\n"
    assert run("cancel", store, "--queue", "mial") == (0, "no jobs\n", told)
    assert run("purge", store, "-Q", "mial") == (0, "no jobs\n", told)


# ---- what happens meanwhile --------------------------------------------------------------------------------


def test_two_operators_who_retry_at_once_run_no_job_twice(run: Run, failed: Path, meanwhile: Any) -> None:
    def the_other(store: JsonStore) -> None:
        ids = [f"job-{n:04d}" for n in range(7)]
        store.revive(ids, NOW_MS, NOW_MS)
        for claim in store.claim("w", NOW_MS, 5):
            store.settle(effects([(claim, Succeeded(returned="17"))]), NOW_MS)

    meanwhile(the_other)
    status, out, _ = run("retry", failed, "--failed", "--yes")
    assert status == 1
    assert out.splitlines() == [
        "2,493 jobs scheduled again",
        "5 left alone: started since",
        "2 left alone: scheduled already",
    ]
    assert list(states(failed).values()).count(State.SUCCEEDED) == 5


def test_a_job_that_starts_before_it_is_cancelled_runs_on(run: Run, store: Path, meanwhile: Any) -> None:
    meanwhile(lambda other: other.claim("w", NOW_MS, 1))
    status, out, _ = run("purge", store, "-f", "--json")
    assert (status, json.loads(out)) == (1, {"chosen": 3, "cancelled": 2, "left": {"changed": 1}})
    assert (states(store)["late"], _cancel_ms(store, "late")) == (State.RUNNING, None)


def test_what_succeeded_after_a_retry_of_another_is_not_forgotten(run: Run, store: Path, meanwhile: Any) -> None:
    def the_other(other: JsonStore) -> None:
        other.revive(["bad"], NOW_MS - DAY_MS, NOW_MS)
        other.settle(effects([(other.claim("w", NOW_MS, 1)[0], Succeeded(returned='"precious"'))]), NOW_MS)
        other.forget(["done"])

    meanwhile(the_other)
    status, out, _ = run("forget", store, "--all", "--yes")
    assert status == 1
    assert out.splitlines()[0] == "0 jobs forgotten"
    assert set(out.splitlines()[1:]) == {
        "1 left alone: started since",
        "1 left alone: gone",
    }
    assert states(store)["bad"] is State.SUCCEEDED


def test_a_key_that_is_taken_holds_up_no_other_job(run: Run, tmp_path: Path, meanwhile: Any) -> None:
    path = tmp_path / "keyed.json"
    store = opened(path)
    store.add([job(f"job-{n}", NOW_MS - 5_000, key=f"k{n}") for n in range(50)], 0)
    fail(store, store.claim("w", NOW_MS, 50))
    store.add([job("holder", NOW_MS + DAY_MS, key="k7")], 0)
    store.close()
    meanwhile(lambda other: other.add([job("newer", NOW_MS + DAY_MS, key="k23")], 0))
    status, out, _ = run("retry", path, "--failed", "--yes")
    assert status == 1
    assert out.splitlines() == ["48 jobs scheduled again", "2 left alone: another job holds the key"]
    assert [id for id, state in states(path).items() if state is State.FAILED] == ["job-23", "job-7"]


def test_of_failed_jobs_with_one_key_the_last_is_retried(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "keyed.json"
    store = opened(path)
    for n in range(3):
        store.add([job(f"job-{n}", NOW_MS - 5_000 + n, key="sync")], 0)
        fail(store, store.claim("w", NOW_MS, 1))
    store.close()
    status, out, _ = run("retry", path, "--failed", "--yes", "--json")
    assert (status, json.loads(out)) == (1, {"chosen": 3, "scheduled_again": 1, "left": {"key": 2}})
    assert states(path)["job-2"] is State.SCHEDULED


def test_a_job_that_would_expire_is_left_alone(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "expires.json"
    store = opened(path)
    store.add([job("brief", NOW_MS - 5_000, expires_ms=NOW_MS + MINUTE_MS), job("long", NOW_MS - 5_000)], 0)
    fail(store, store.claim("w", NOW_MS, 2))
    store.close()
    out = run("retry", path, "--failed", "--yes", "--countdown", "1m")[1]
    assert out.splitlines() == ["1 job scheduled again", "1 left alone: would expire before it is due"]
    assert run("retry", path, "--failed", "--yes")[:2] == (0, "1 job scheduled again\n")


def test_when_it_is_stopped_it_says_how_far_it_came(run: Run, failed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    revive = JsonStore.revive
    calls: list[int] = []

    def stopped(self: JsonStore, ids: Sequence[str], *args: Any, **options: Any) -> list[Found]:
        calls.append(len(ids))
        if len(calls) == 3:
            raise KeyboardInterrupt
        return revive(self, ids, *args, **options)

    monkeypatch.setattr(JsonStore, "revive", stopped)
    assert run("retry", failed, "--failed", "--yes") == (
        130,
        "",
        "hourwheel: stopped after at least 2,000 of 2,500 jobs\n",
    )
    monkeypatch.undo()
    assert run("retry", failed, "--failed", "-y")[1] == "500 jobs scheduled again\n"


# ---- purge -------------------------------------------------------------------------------------------------


def test_purge_leaves_schedules_going(run: Run, store: Path) -> None:
    other = opened(store)
    fire = Fire("night", NOW_MS + DAY_MS, "every 1 d")
    other.add([job("next", NOW_MS + DAY_MS, fire=fire), job("older", NOW_MS, fire=fire._replace(followed=True))], 0)
    other.close()
    assert run("purge", store, "--force") == (0, "4 jobs cancelled\n", "")
    assert {id for id, state in states(store).items() if state is State.SCHEDULED} == {"next"}
    found = opened(store)
    purged = found.get(["mail"])[0]
    found.close()
    assert purged is not None
    assert purged.reason == "purged by hand"
