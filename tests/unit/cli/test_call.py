"""``hourwheel call``: a call from the shell is the call that a program would have made."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hourwheel.job import Job
from hourwheel.store import JsonStore

from .conftest import MINUTE_MS, NOW_MS, Run
from .test_change import get

APP = """
from hourwheel import Scheduler

app = Scheduler({store!r})


@app.task(queue="mail", aliases=["shop.old"])
def welcome(user_id, text="hello", *, subject=None): ...
"""


@pytest.fixture
def shop(store: Path, tmp_path: Path) -> str:
    (tmp_path / "shop.py").write_text(APP.format(store=str(store)))
    return "shop"


def called(run: Run, store: Path, *words: object) -> Job:
    status, out, err = run("call", *words)
    assert (status, err) == (0, "")
    assert out.count("\n") == 1
    return get(store, out.strip())


def test_by_its_name_a_task_need_not_be_known(run: Run, store: Path) -> None:
    made = called(run, store, "app.nobody", 7, "hello", "--store", store)
    assert (made.task, made.args, made.kwargs) == ("app.nobody", (7, "hello"), {})
    assert (made.created_ms, made.due_ms, made.queue) == (NOW_MS, NOW_MS, "default")


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("7", 7), ("-7", -7), ("1.5", 1.5), ("true", True), ("null", None), ('"7"', "7"), ("[1,[2]]", [1, [2]]),
        ('{"a":1}', {"a": 1}), ("hello", "hello"), ("007", "007"), ("NaN", "NaN"), ("{a}", "{a}"), ("", ""), ("a b", "a b"),
    ],
)  # fmt: skip
def test_an_argument_is_json_and_what_is_no_json_is_text(run: Run, store: Path, word: str, value: Any) -> None:
    assert called(run, store, "app.x", word, "--store", store).args == (value,)


def test_everything_can_be_said(run: Run, store: Path) -> None:
    made = called(
        run, store, "app.x", "--args", '[1,"2"]', "-k", '{"text":"x"}', "--countdown", "15m", "--expires", "1h", "--queue", "q",
        "--priority", "-5", "--key", "k", "--id", "mine", "--store", store,
    )  # fmt: skip
    assert (made.id, made.args, made.kwargs) == ("mine", (1, "2"), {"text": "x"})
    assert (made.due_ms, made.expires_ms) == (NOW_MS + 15 * MINUTE_MS, NOW_MS + 60 * MINUTE_MS)
    assert (made.queue, made.priority, made.key) == ("q", -5, "k")


@pytest.mark.parametrize(
    "words",
    [
        ["--countdown", "1m", "app.x", "7", "-8", "hello"],
        ["app.x", "--countdown", "1m", "7", "-8", "hello"],
        ["app.x", "7", "--countdown=1m", "-8", "hello"],
        ["app.x", "7", "-8", "hello", "--countdown", "1m"],
    ],
    ids=" ".join,
)
def test_options_may_stand_anywhere(run: Run, store: Path, words: list[str]) -> None:
    made = called(run, store, *words, "--store", store)
    assert (made.task, made.args, made.due_ms) == ("app.x", (7, -8, "hello"), NOW_MS + MINUTE_MS)


def test_text_that_looks_like_an_option_stands_behind_two_dashes(run: Run, store: Path) -> None:
    assert called(run, store, "--store", store, "--", "app.x", "--countdown", "7").args == ("--countdown", 7)


def test_an_instant_can_be_said_and_programs_are_told_when(run: Run, store: Path) -> None:
    status, out, _ = run("call", "app.x", "--eta", "2031-01-01T00:00Z", "--store", store, "--json")
    told = json.loads(out)
    assert (status, told["due_ms"], told["due"]) == (0, 1_924_992_000_000, "2031-01-01T00:00:00.000Z")
    assert get(store, told["id"]).due_ms == told["due_ms"]


def test_a_key_that_is_held_gives_the_id_of_the_holder(run: Run, store: Path) -> None:
    assert run("call", "app.mail", "--key", "m", "--store", store)[1] == "mail\n"


def test_with_an_app_the_options_of_its_task_hold(run: Run, store: Path, shop: str) -> None:
    made = called(run, store, "shop.welcome", 7, "--kwargs", '{"subject":"x"}', "-A", shop, "--countdown", "1h")
    assert (made.task, made.queue, made.args, made.kwargs) == ("shop.welcome", "mail", (7,), {"subject": "x"})
    assert made.due_ms - made.created_ms in (60 * MINUTE_MS, 60 * MINUTE_MS + 1)  # a deadline is rounded up
    assert called(run, store, "shop.old", 7, "-A", shop).task == "shop.welcome"


def test_an_app_may_check_for_another_store(run: Run, store: Path, shop: str, tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    JsonStore(other).close()
    made = called(run, other, "shop.welcome", 7, "-A", shop, "--store", other)
    assert made.queue == "mail"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["shop.welcome"], "shop.welcome cannot be called with these arguments: welcome() missing 1 required positional argument: 'user_id'"),
        (["shop.welcome", "1", "-k", '{"nobody":2}'], "shop.welcome cannot be called with these arguments: welcome() got an unexpected keyword argument 'nobody'"),
        (["shop.welcom", "1"], "the app has no task shop.welcom; did you mean shop.welcome? to call it by name anyway, use --store"),
        (["mail.welcome", "1"], "the app has no task mail.welcome; did you mean shop.welcome? to call it"),
        (["zzz", "1"], "the app has no task zzz; to call it by name anyway, use --store without -A"),
    ],
)  # fmt: skip
def test_with_an_app_a_call_that_cannot_be_is_refused(
    run: Run, store: Path, shop: str, words: list[str], message: str
) -> None:
    before = run("stats", store)[1]
    status, out, err = run("call", *words, "-A", shop)
    assert (status, out) == (2, "")
    assert err.startswith(f"hourwheel: {message}")
    assert run("stats", store)[1] == before


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["app.x", "1", "--args", "[2]"], "pass the arguments as ARG or with --args, not both"),
        (["app.x", "--args", "2"], "must be a JSON list"),
        (["app.x", "--kwargs", "[2]"], "must be a JSON object"),
        (["app.x", "--kwargs", '{"a":NaN}'], "must be a JSON object"),
        (["app.x", "--countdown", "1m", "--eta", "2031-01-01"], "not allowed with argument"),
        (["app.x", "--countdown", "soon"], "must be a number of seconds, or text such as 15m"),
        (["app.x", "--priority", "high"], "must be a whole number, got 'high'"),
        (["app.x", "--priority", "500"], "priority must be a whole number from -100 to 100, got 500"),
        (["app.x", "--queue", "a b"], "queue must be"),
        (["a b "], "name must be 1 to 200 visible characters"),
        ([], "the following arguments are required: TASK"),
    ],
)
def test_wrong_words_are_explained_and_nothing_is_stored(run: Run, store: Path, words: list[str], message: str) -> None:
    before = run("stats", store)[1]
    status, out, err = run("call", *words, "--store", store)
    assert (status, out) == (2, "")
    assert message in err
    assert run("stats", store)[1] == before


def test_a_store_that_is_not_there_is_not_made(run: Run, tmp_path: Path) -> None:
    status, _, err = run("call", "app.x", "--store", tmp_path / "none.json")
    assert (status, "there is no store at" in err) == (2, True)
    assert list(tmp_path.iterdir()) == []
