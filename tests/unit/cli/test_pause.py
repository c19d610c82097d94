"""``hourwheel pause`` and ``hourwheel resume``."""

from __future__ import annotations

import json
from pathlib import Path

from hourwheel.store import JsonStore

from .conftest import Run


def test_queues_and_tasks_are_paused_and_resumed(run: Run, store: Path) -> None:
    status, out, _ = run("pause", "-Q", "mail,sms", "--task", "app.x", "--store", store)
    assert status == 0
    assert out.splitlines() == [
        "queue:mail: paused", "queue:sms: paused", "task:app.x: paused",
        "paused now: queue:mail, queue:sms, task:app.x",
    ]  # fmt: skip
    assert run("pause", "-Q", "mail", "--store", store)[1].startswith("queue:mail: already paused\n")
    assert "queue:mail, queue:sms, task:app.x" in run("stats", store)[1]
    assert run("resume", "-Q", "mail", "-T", "app.x", "--store", store)[1].endswith("paused now: queue:sms\n")
    assert run("resume", "-Q", "sms", "--store", store)[1].endswith("paused now: nothing\n")
    assert "paused" not in run("stats", store)[1]


def test_a_schedule_that_is_named_after_its_call_can_be_paused(run: Run, store: Path) -> None:
    """There are commas in the name, too."""
    status, out, _ = run("pause", "-S", "shop.add(2, 'x'),night, shop.add(3, y=1):2", "--store", store, "--json")
    assert status == 0
    assert json.loads(out)["paused"] == ["schedule:night", "schedule:shop.add(2, 'x')", "schedule:shop.add(3, y=1):2"]


def test_for_programs_it_says_what_was_changed_and_what_is_paused(run: Run, store: Path) -> None:
    run("pause", "-Q", "mail", "--store", store)
    status, out, _ = run("pause", "-Q", "mail,sms", "--store", store, "--json")
    assert (status, json.loads(out)) == (0, {"changed": ["queue:sms"], "paused": ["queue:mail", "queue:sms"]})


def test_what_is_no_name_is_refused_and_nothing_is_paused(run: Run, store: Path) -> None:
    for words, advice in ((["-Q", "a b"], "must be"), ([], "pass --queue, --task or --schedule")):
        status, _, err = run("pause", *words, "--store", store)
        assert status == 2
        assert advice in err
    opened = JsonStore(store)
    assert opened.paused() == []
    opened.close()


def test_a_queue_that_no_job_has_is_paused_all_the_same_and_said(run: Run, store: Path) -> None:
    status, out, err = run("pause", "-Q", "mial", store)
    assert (status, out.splitlines()[0]) == (0, "queue:mial: paused")
    assert err == "hourwheel: the store has no job of queue 'mial'; did you mean 'mail'?\n"
