"""``hourwheel jobs`` and ``hourwheel show``."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hourwheel.cli.describe import document
from hourwheel.clock import MAX_MS
from hourwheel.job import After, Bound, Claim, Failed, Failure, Fire, Job
from hourwheel.store import JsonStore
from hourwheel.testing import FakeClock
from hourwheel.turn import Keep, effects

from .conftest import DAY_MS, NOW_MS, Run, job


def ids(out: str) -> list[str]:
    return [document["id"] for document in json.loads(out)]


def test_jobs_lists_every_job_by_due_time_with_its_state_and_call(run: Run, store: Path) -> None:
    status, out, err = run("jobs", store)
    assert (status, err) == (0, "")
    rows = out.splitlines()
    assert rows[0].split() == ["ID", "STATE", "DUE", "WHEN", "ERROR", "CALL"]
    assert [row.split()[0] for row in rows[1:]] == ["late", "bad", "done", "run", "soon", "mail"]
    assert rows[1].split("3m 2s late")[1].split(maxsplit=1) == ["app.remind(1,", "text='x')"]
    assert "in 14m 32s" in rows[5]
    assert "running    2030-03-17 17:46:30 UTC  for 5s" in rows[4]
    assert "2s ago" in rows[3]


def test_the_columns_of_a_table_are_aligned(run: Run, store: Path) -> None:
    rows = run("jobs", store)[1].splitlines()
    starts = {row.index("app.") for row in rows[1:]}
    assert starts == {rows[0].index("CALL")}


@pytest.mark.parametrize("columns", [20, 40, 60, 80, 100, 120, 200])
def test_no_line_is_wider_than_the_terminal(
    run: Run, store: Path, columns: int, terminal: Callable[[int], None]
) -> None:
    terminal(columns)
    for words in (("jobs", store), ("show", "bad", "--store", store), ("stats", store), ("ring", store)):
        status, out, _ = run(*words)
        assert status == 0
        assert max(len(line) for line in out.splitlines()) <= columns, words


def test_a_narrow_terminal_shows_every_id_whole(run: Run, store: Path, terminal: Callable[[int], None]) -> None:
    terminal(60)
    rows = run("jobs", store)[1].splitlines()
    assert [row.split()[0] for row in rows if row[0] != " "] == ["late", "bad", "done", "run", "soon", "mail"]
    assert rows[2].startswith("bad  failed")
    assert rows[4] == "    ValueError: no"


def test_the_error_of_a_job_is_one_short_line_in_the_table(run: Run, tmp_path: Path) -> None:
    opened = JsonStore(tmp_path / "long.json", clock=FakeClock(NOW_MS))
    opened.add([job("long", NOW_MS)], 0)
    error = Failure("OSError", "first\n\x1b[2J\tsecond " + "x" * 500)
    opened.settle(effects([(opened.claim("w", NOW_MS, 1)[0], Failed(error=error))]), NOW_MS)
    opened.close()
    header, row = run("jobs", "long.json")[1].splitlines()
    assert "  OSError: first \\x1b[2J second xxxxxxxxx…  app.remind(1, text='x')" in row
    assert row.index("app.") == header.index("CALL")


def test_a_table_without_errors_has_no_column_for_them(run: Run, store: Path) -> None:
    assert "ERROR" not in run("jobs", store, "--state", "scheduled")[1]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--state", "failed"], ["bad"]),
        (["--state", "scheduled,running"], ["late", "run", "soon", "mail"]),
        (["--task", "app.mail"], ["mail"]),
        (["--queue", "mail"], ["mail"]),
        (["--key", "m"], ["mail"]),
        (["--task", "app.m*"], ["mail"]),
        (["--task", "*.remind", "--state", "Failed, running"], ["bad", "run"]),
        (["--error", "ValueError: no"], ["bad"]),
        (["--error", "valueerror"], []),
        (["--older", "1m"], ["late", "soon", "mail"]),
        (["--older", "61s"], []),
        (["--newer", "1m"], ["bad", "done", "run"]),
        (["--newer", "5001ms", "--older", "3"], ["run"]),
        (["--newer", "5s"], ["bad", "done"]),
        (["--due-before", "15m"], ["late", "bad", "done", "run", "soon"]),
        (["--due-before", "2030-03-17T17:46:30"], ["late"]),
        (["--due-before", "2030-03-17T18:46:30+01:00"], ["late"]),
        (["--limit", "2"], ["late", "bad"]),
        (["--limit", "0"], ["late", "bad", "done", "run", "soon", "mail"]),
        (["--state", "expired"], []),
    ],
)
def test_jobs_can_be_chosen(run: Run, store: Path, words: list[str], expected: list[str]) -> None:
    status, out, _ = run("jobs", store, "--json", *words)
    assert (status, ids(out)) == (0, expected)


def test_the_json_of_a_job_has_everything_a_program_needs(run: Run, store: Path) -> None:
    [found] = json.loads(run("jobs", store, "--json", "--state", "failed")[1])
    assert found["args"] == [1]
    assert found["kwargs"] == {"text": "x"}
    assert found["due_ms"] == NOW_MS - 10_000
    assert found["due"] == "2030-03-17T17:46:30.250Z"
    assert (found["state"], found["attempt"], found["result"]) == ("failed", 1, None)
    assert found["error"] == {"type": "ValueError", "message": "no", "traceback": found["error"]["traceback"]}


def test_more_jobs_than_the_limit_are_mentioned(run: Run, store: Path) -> None:
    assert "the first 2 by due time" in run("jobs", store, "--limit", "2")[1]
    assert "by due time" not in run("jobs", store, "--limit", "6")[1]


def test_an_empty_store_has_no_jobs(run: Run, tmp_path: Path) -> None:
    JsonStore(tmp_path / "empty.json").close()
    assert run("jobs", "empty.json")[:2] == (0, "no jobs\n")
    assert run("jobs", "empty.json", "--json")[:2] == (0, "[]\n")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--state", "asleep"], "must be from scheduled, running"),
        (["--state", "failed,succeded"], "got 'succeded'; did you mean 'succeeded'?"),
        (["--older", "yesterday"], "a duration must be a number of seconds, or text such as 15m"),
        (["--limit", "-1"], "must be a whole number"),
        (["--limit", "x"], "must be a whole number"),
        (["--due-before", "soon"], "a time must be a date and time such as"),
        (["--due-before", "5 parsecs"], "a duration must be a number of seconds, or text such as 15m"),
        (["--due", "5"], "unrecognized arguments"),
    ],
)
def test_wrong_options_are_explained(run: Run, store: Path, words: list[str], message: str) -> None:
    status, out, err = run("jobs", store, *words)
    assert (status, out) == (2, "")
    assert message in err


def test_what_a_task_was_called_with_cannot_touch_the_terminal(run: Run, tmp_path: Path) -> None:
    opened = JsonStore(tmp_path / "evil.json", clock=FakeClock(NOW_MS))
    opened.add([job("evil", NOW_MS + DAY_MS, payload='[["\\u001b[2J\\u009b"],{}]', task="app\x1b]0;x\x07")], 0)
    opened.close()
    for words in (("jobs", "evil.json"), ("show", "evil", "--store", "evil.json")):
        out = run(*words)[1]
        assert "\x1b" not in out
        assert "\x9b" not in out
        assert "\x07" not in out
        assert "app\\x1b]0;x\\x07" in out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--queue", "mial"], "the store has no job of queue 'mial'; did you mean 'mail'?"),
        (["--task", "app.remnid"], "the store has no job of task 'app.remnid'; did you mean 'app.remind'?"),
        (["--task", "zzz.*"], "the store has no job of task 'zzz.*'"),
    ],
)
def test_a_queue_or_task_that_is_mistyped_is_not_taken_for_an_empty_one(
    run: Run, store: Path, words: list[str], told: str
) -> None:
    assert run("jobs", store, *words) == (0, "no jobs\n", f"hourwheel: {told}\n")
    assert run("jobs", store, "--json", *words) == (0, "[]\n", f"hourwheel: {told}\n")


def test_a_queue_whose_jobs_are_all_of_other_states_is_no_stranger(run: Run, store: Path) -> None:
    assert run("jobs", store, "--queue", "mail", "--state", "failed") == (0, "no jobs\n", "")


def test_with_an_app_its_tasks_are_known_too(run: Run, module: str, tmp_path: Path) -> None:
    (tmp_path / "more.py").write_text(
        f"from {module} import app\n\n@app.task(name='sms.send', queue='sms')\ndef s(): ...\n"
    )
    assert "did you mean 'sms.send'?" in run("jobs", "-A", "more", "--task", "sms.sned")[2]
    assert "did you mean 'sms'?" in run("jobs", "-A", "more", "--queue", "ssm")[2]


def test_the_json_of_a_job_has_every_field(run: Run, tmp_path: Path) -> None:
    opened = JsonStore(tmp_path / "full.json", clock=FakeClock(NOW_MS))
    after, fire = After(("a", "b"), 2, "succeeded", "results", 5), Fire("night", NOW_MS, "every 1 h")
    full = job("full", MAX_MS, after=after, fire=fire, limits=(Bound("l", 2),), wakes=("next",), key="k")
    opened.add([full, job("a", NOW_MS), job("b", NOW_MS)], 0)
    opened.settle([(opened.claim("w", NOW_MS, 1)[0], Keep(note='{"done":2}'))], NOW_MS)
    opened.close()
    found = {one["id"]: one for one in json.loads(run("jobs", "full.json", "--json")[1])}
    decoded = {"payload": "args", "returned": "result", "note": "progress"}
    wanted = {decoded.get(name, name) for name in Job._fields}
    wanted |= {name for name, one in vars(Job).items() if isinstance(one, property)} - {"call", "finished"}
    assert wanted <= set(found["full"])
    assert found["full"]["after"] == {"ids": ["a", "b"], "left": 2, "need": "succeeded", "gives": "results",
                                      "delay_ms": 5, "shape": ""}  # fmt: skip
    assert found["full"]["fire"]["schedule"] == "night"
    assert found["full"]["limits"] == [{"name": "l", "most": 2, "per_ms": 0}]
    assert found["a"]["progress"] == {"done": 2}
    assert found["a"]["since_ms"] == NOW_MS


def test_the_json_of_a_job_that_cannot_be_read_has_it_as_it_is(tmp_path: Path) -> None:
    found = document(job("odd", NOW_MS, payload="[[1", note='"half"'))
    assert (found["args"], found["payload"], found["note"]) == (None, "[[1", '"half"')
    assert "unreadable" in found


# ---- show ------------------------------------------------------------------------------------------------


def test_show_tells_what_is_known_of_a_job(run: Run, store: Path) -> None:
    status, out, _ = run("show", "mail", "--store", store)
    told = dict(line.split(maxsplit=1) for line in out.splitlines())
    assert status == 0
    assert told["call"] == "app.mail(1, text='x')"
    assert told["state"] == "scheduled"
    assert told["due"] == "2030-03-18 17:46:40.250 UTC (in 1d)"
    assert told["place"] == "slot 2800 of cycle 527801"
    assert (told["queue"], told["priority"], told["key"]) == ("mail", "3", "m")
    assert told["created"] == "2030-03-17 17:45:40.250 UTC (1m ago)"
    assert "owner" not in told


def test_show_has_the_traceback_of_a_failed_job(run: Run, store: Path) -> None:
    out = run("show", "bad", "--store", store)[1]
    assert "error     ValueError: no" in out
    assert '      File "x.py"\n    ValueError: no\n' in out


def test_show_has_the_result_and_the_owner(run: Run, store: Path) -> None:
    assert 'result    {"sent":true}' in run("show", "done", "--store", store)[1]
    assert "owner     worker-a" in run("show", "run", "--store", store)[1]


def test_show_json_is_one_object(run: Run, store: Path) -> None:
    assert json.loads(run("show", "done", "--store", store, "--json")[1])["result"] == {"sent": True}


def test_show_of_a_job_that_is_not_there_says_no(run: Run, store: Path) -> None:
    status, out, err = run("show", "nobody", "--store", store)
    assert (status, out) == (1, "")
    assert "no job nobody" in err


def test_an_id_may_be_spelt_in_any_way(run: Run, tmp_path: Path) -> None:
    opened = JsonStore(tmp_path / "uuid.json", clock=FakeClock(NOW_MS))
    opened.add([job("0192e4c0-a1b2-7c3d-8e4f-5a6b7c8d9e0f", NOW_MS + DAY_MS)], 0)
    opened.close()
    assert run("show", "0192E4C0A1B27C3D8E4F5A6B7C8D9E0F", "--store", "uuid.json")[0] == 0
    assert run("show", "!!", "--store", "uuid.json")[0] == 1


@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Kolkata"])
def test_times_are_local_with_their_zone(run: Run, store: Path, zone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    out = run("show", "soon", "--store", store)[1]
    expected = {"America/New_York": "14:01:12.250 EDT", "Asia/Kolkata": "23:31:12.250 IST"}[zone]
    assert expected in out


def test_a_running_job_shows_how_far_it_has_come(run: Run, store: Path) -> None:
    opened = JsonStore(store)
    running = opened.get(["run"])[0]
    assert running is not None
    claim = Claim(running, running.token, running.owner or "")
    for note, words in (
        ('{"done":2,"of":10}', "done 2, of 10"),
        ('{"state":"COPYING","meta":{"done":3}}', "done 3"),
        ('{"state":"COPYING","meta":null}', "COPYING"),
        ('"half"', "half"),
        ('"' + "x" * 90 + '"', "x" * 59 + "…"),
    ):
        opened.settle([(claim, Keep(note=note))], NOW_MS)
        assert words in run("jobs", store, "--state", "running")[1]
        assert f"progress  {words}" in run("show", "run", "--store", store)[1]
    opened.close()


def test_a_script_that_counts_failed_jobs_gets_all_of_them(run: Run, tmp_path: Path) -> None:
    """Once the list stopped at a hundred, and said nothing."""
    many = JsonStore(tmp_path / "many.json", durability="os")
    many.add([job(f"job-{n:03d}", NOW_MS + n) for n in range(130)], 0)
    many.compact()
    many.add([job(f"late-{n:03d}", NOW_MS + 1 + 2 * n) for n in range(130)], 0)
    assert len(many.scan()) == 260
    many.close()
    told = json.loads(run("jobs", "many.json", "--json")[1])
    assert [one["due_ms"] for one in told] == sorted(one["due_ms"] for one in told)
    assert len(told) == 260
    assert told == json.loads(run("jobs", "many.json", "--json", "--limit", 0)[1])
    assert told[:7] == json.loads(run("jobs", "many.json", "--json", "--limit", 7)[1])
    assert "the first 100 by due time" in run("jobs", "many.json")[1]
    assert run("jobs", "many.json", "--json", "--task", "nobody")[1] == "[]\n"
