"""Why a job has not run yet: each reason from its facts, the one that matters most first."""

from __future__ import annotations

import doctest
from dataclasses import replace
from types import ModuleType
from typing import Any

import pytest
from hourwheel.cli.commands import call, why
from hourwheel.clock import MAX_MS
from hourwheel.explain import known, processes, reasons
from hourwheel.explain.known import Known
from hourwheel.explain.processes import Process, queues_in
from hourwheel.explain.reasons import Facts
from hourwheel.job import After, Bound, Failure, Fire, Job, State

NOW = 1_900_000_000_000
ALIVE = Process(owner="web-1", alive=True, pid=41, command="hourwheel worker -A shop")
STOPPED = Process(owner="web-2", alive=True, pid=42, stopped=True)
DEAD = Process(owner="web-3", alive=False)
KNOWN = Known(name="app.mail")


def job(**fields: Any) -> Job:
    fields.setdefault("due_ms", NOW - 60_000)
    return Job(id="a", task="app.mail", **fields)


def other(id: str, state: State, **fields: Any) -> Job:
    return Job(id=id, task="app.send", state=state, **{"due_ms": NOW + 90_000, **fields})


def facts(**known: Any) -> Facts:
    known.setdefault("processes", (ALIVE,))
    return Facts(now_ms=NOW, **known)


WAITS = After(ids=("x", "y"), left=2)
RUNNING = {"state": State.RUNNING, "attempt": 2, "started_ms": NOW - 3_000, "owner": "web-1"}

TABLE = {
    "not due": (
        job(due_ms=NOW + 872_000), facts(),
        ["It is not due yet: it is due in 14m 32s, at 2030-03-17 18:01:12 UTC."],
    ),
    "not due, and what comes then": (
        job(due_ms=NOW + 60_000), facts(paused=frozenset({"queue:default"}), processes=()),
        ["It is not due yet: it is due in 1m,", "Its queue default is paused:", "No process is alive that takes jobs"],
    ),
    "tried again": (
        job(due_ms=NOW + 8_000, attempt=2, error=Failure("OSError", "no route\nto host")), facts(),
        ["It is tried again in 8s, at 2030-03-17 17:46:48 UTC: 2 attempts failed, the last by OSError: no route."],
    ),
    "asked to run again": (
        job(due_ms=NOW + 8_000, attempt=1), facts(), ["It runs again in 8s, at 2030-03-17 17:46:48 UTC, after 1 attempt."],
    ),
    "snoozed": (
        job(due_ms=NOW + 8_000, reason="not while it rains"), facts(),
        ["It is not due yet: it is due in 8s, at 2030-03-17 17:46:48 UTC. It was postponed: not while it rains."],
    ),
    "put off by a worker that does not know it": (
        job(due_ms=NOW + 8_000, reason="unregistered: no task named 'app.mail' in the process that took it"), facts(),
        ["It was postponed (unregistered: no task named 'app.mail' in the process that took it). It is offered again in 8s,"],
    ),
    "waits for others": (
        job(due_ms=MAX_MS, after=WAITS),
        facts(before=(("x", other("x", State.SCHEDULED)), ("y", other("y", State.RUNNING)))),
        ["It waits for 2 other jobs to succeed: x (app.send) is due in 1m 30s; y (app.send) is running."],
    ),
    "waits for one that waits itself, and for many": (
        job(due_ms=MAX_MS, after=After(ids=tuple("xyz1234"), left=6, need="finished")),
        facts(before=(
            ("x", other("x", State.SUCCEEDED)), ("y", other("y", State.SCHEDULED, after=WAITS, due_ms=MAX_MS)),
            ("z", None), *((id, other(id, State.SCHEDULED, due_ms=NOW)) for id in "1234"),
        )),
        [
            ("It waits for 6 other jobs to end: y (app.send) is waiting for others itself; z is no longer in the store; "
            "1 (app.send) is due; 2 (app.send) is due; 3 (app.send) is due; and 1 more."),
        ],
    ),
    "expired": (
        job(expires_ms=NOW - 2_000), facts(),
        ["It is too late: it expired 2s ago. The next sweep ends it unrun."],
    ),
    "will have expired": (
        job(due_ms=NOW + 60_000, expires_ms=NOW + 30_000), facts(),
        ["It is not due yet", "It expires before it is due, at 2030-03-17 17:47:10 UTC, so it will end unrun."],
    ),
    "misfired": (
        job(grace_ms=30_000), facts(),
        ['It is too late: it is 1m late, and 30s is allowed. The next sweep ends it unrun (misfire="skip").'],
    ),
    "paused": (
        job(), facts(paused=frozenset({"queue:default", "task:app.mail", "task:app.send"})),
        [
            "Its queue default is paused: `hourwheel resume --queue default` resumes it.",
            "Its task app.mail is paused: `hourwheel resume --task app.mail` resumes it.",
        ],
    ),
    "its schedule is paused": (
        job(fire=Fire("daily", NOW, "every 1 d")), facts(paused=frozenset({"schedule:daily"})),
        ["Its schedule daily is paused: `hourwheel resume --schedule daily` resumes it."],
    ),
    "it is the definition of a schedule": (
        job(fire=Fire("daily", MAX_MS, "every 1 d", stored=True), due_ms=MAX_MS)._replace(task="hourwheel.schedule"), facts(),
        ["It is the definition of schedule daily: data, which is never due. `hourwheel schedules` lists it."],
    ),
    "a fire that is followed is a job as others": (
        job(fire=Fire("daily", NOW, "every 1 d", followed=True), due_ms=NOW), facts(paused=frozenset({"schedule:daily"})),
        ["It is due, and starts as soon as a worker is free."],
    ),
    "its schedule was not known to the process that took it": (
        job(due_ms=NOW + 8_000, reason="no schedule named 'daily' in the process that took it"), facts(),
        ["It was postponed (no schedule named 'daily' in the process that took it). It is offered again in 8s,"],
    ),
    "its schedule is unknown to the app": (
        job(), facts(known=Known(name="app.mail", orphaned="daily")),
        ["The app has no schedule daily, so this fire waits for a process that has it."],
    ),
    "a limit is used up": (
        job(limits=(Bound("smtp", 2),)),
        facts(holders={"smtp": (other("x", State.RUNNING, started_ms=NOW - 3_000), other("y", State.RUNNING))}),
        ["Its limit smtp (2 at once) is used up by running jobs: x (for 3s), y."],
    ),
    "a limit is used up by many": (
        job(limits=(Bound("smtp", 2),)), facts(holders={"smtp": tuple(other(str(n), State.RUNNING) for n in range(7))}),
        ["Its limit smtp (2 at once) is used up by running jobs: 0, 1, 2, 3, 4, 2 more."],
    ),
    "a limit that has room, and a rate that lets it pass": (
        job(limits=(Bound("smtp", 2), Bound("sms", 10, 60_000)), due_ms=NOW),
        facts(holders={"smtp": (other("x", State.RUNNING),)}, opens_ms={"sms": NOW}),
        ["It is due, and starts as soon as a worker is free."],
    ),
    "a rate": (
        job(limits=(Bound("sms", 10, 60_000),)), facts(opens_ms={"sms": NOW + 4_500}),
        ["Its limit sms (10/m) lets the next job start in 4s, at 2030-03-17 17:46:44.500 UTC."],
    ),
    "nobody": (
        job(), facts(processes=(), taken_ms=NOW - 720_000),
        [
            ("No process is alive that takes jobs from this store (the last was taken 12m ago): "
            "start one with `hourwheel worker`, app.start() or `hourwheel run-due`."),
        ],
    ),
    "nobody ever": (job(), facts(processes=(DEAD,)), ["No process is alive that takes jobs from this store (none was ever taken)"]),
    "all are stopped": (
        job(), facts(processes=(STOPPED, DEAD)),
        ["Every process that takes jobs is stopped: web-2 (pid 42); send SIGCONT."],
    ),
    "nobody takes its queue": (
        job(queue="bulk"), facts(processes=(replace(ALIVE, queues=frozenset({"mail"})),)),
        ["No live process takes jobs from queue bulk (-Q): web-1 (pid 41: hourwheel worker -A shop)."],
    ),
    "somebody takes its queue, or may": (
        job(queue="bulk", due_ms=NOW), facts(processes=(replace(ALIVE, queues=frozenset({"mail"})), ALIVE)),
        ["It is due, and starts as soon as a worker is free."],
    ),
    "its queue is taken": (
        job(queue="mail", due_ms=NOW), facts(processes=(replace(ALIVE, queues=frozenset({"mail"})),)),
        ["It is due, and starts as soon as a worker is free."],
    ),
    "unknown to the app": (
        job(), facts(known=Known(name=None, near=("shop.mail",))),
        ["The app does not know its task app.mail. If it is called shop.mail now, add aliases=['app.mail'] to that task."],
    ),
    "arguments do not fit": (
        job(), facts(known=Known(name="app.mail", misfit="mail() missing 1 required positional argument: 'to'")),
        ["Its arguments no longer fit the function: mail() missing 1 required positional argument: 'to'."],
    ),
    "refused by the pool": (
        job(), facts(known=Known(name="app.mail", refusal="it has a time_limit")),
        ["The app's pool cannot run its task: it has a time_limit."],
    ),
    "another queue": (
        job(queue="bulk"), facts(known=KNOWN, queues=frozenset({"sms", "mail"})),
        ["The app takes jobs from mail, sms only; this one is in queue bulk."],
    ),
    "a moment ago": (
        job(due_ms=NOW - 900), facts(), ["It is due, and starts as soon as a worker is free."],
    ),
    "alive, and yet": (
        job(queue="bulk", reason="all workers were busy"),
        facts(ahead=1, running=4, processes=(ALIVE, DEAD, Process(owner="else", alive=True))),
        [
            ("It has been due for 1m: 1 job goes before it, and 4 jobs run now. It was postponed: all workers were busy. "
            "Either all workers of web-1 (pid 41: hourwheel worker -A shop), else are busy, or none takes queue bulk (-Q), "
            "or none knows task app.mail."),
        ],
    ),
    "alive, and known": (
        job(), facts(known=KNOWN, ahead=1_200, running=1, processes=tuple(Process(owner=id, alive=True) for id in "1234567")),
        [
            ("It has been due for 1m: 1,200 jobs go before it, and 1 job runs now. "
            "Either all workers of 1, 2, 3, 4, 5, 2 more are busy, or none takes queue default (-Q)."),
        ],
    ),
    "who knows whether anybody": (
        job(), facts(processes=None),
        [
            ("It has been due for 1m: no job goes before it, and 0 jobs run now. Either all workers are busy, "
            "or none takes queue default, or there are none."),
        ],
    ),
    "runs": (
        job(**RUNNING), facts(),
        ["It runs: attempt 2 has been running for 3s, in web-1 (pid 41: hourwheel worker -A shop)."],
    ),
    "runs in a process that is stopped": (
        job(**{**RUNNING, "owner": "web-2"}), facts(processes=(STOPPED,)),
        ["It runs, but its process is stopped: attempt 2 has been running for 3s in web-2 (pid 42); send it SIGCONT."],
    ),
    "its process died": (
        job(**{**RUNNING, "owner": "web-3"}), facts(processes=(DEAD, ALIVE)),
        [
            ("Its process has died: web-3 took it 3s ago. "
            "The next sweep of any process releases it, and it starts again."),
        ],
    ),
    "its process left no sign, and there is no other": (
        job(**RUNNING), facts(processes=()),
        ["Its process has died: web-1 took it 3s ago", "No process is alive that takes jobs"],
    ),
    "asked to end": (
        job(**{**RUNNING, "cancel_ms": NOW - 1_000}), facts(processes=None),
        ["It runs: attempt 2 has been running for 3s, in web-1.", "It was asked to stop 1s ago; its function has not returned yet."],
    ),
    "succeeded": (
        job(state=State.SUCCEEDED, attempt=1, finished_ms=NOW - 2_000), facts(),
        ["It has run: its first attempt succeeded 2s ago."],
    ),
    "failed": (
        job(state=State.FAILED, attempt=4, finished_ms=NOW - 2_000, error=Failure("KeyError", ""), reason="no more"), facts(),
        ["It has run and failed 2s ago, in attempt 4: KeyError. (no more) `hourwheel retry` runs it again."],
    ),
    "cancelled": (
        job(state=State.CANCELLED, finished_ms=NOW - 2_000, reason="paid"), facts(),
        ["It will not run: it was cancelled 2s ago, unrun: paid."],
    ),
    "cancelled in between": (
        job(state=State.CANCELLED, finished_ms=NOW - 2_000, attempt=1), facts(),
        ["It will not run: it was cancelled 2s ago, after 1 attempt."],
    ),
    "expired before it was tried again": (
        job(state=State.EXPIRED, finished_ms=NOW - 2_000, attempt=2, reason="it had expired before its turn came"),
        facts(),
        ["It will not run again: it expired 2s ago, after 2 attempts: it had expired before its turn came."],
    ),
    "ended unrun": (
        job(state=State.EXPIRED, finished_ms=NOW - 2_000, reason="it had expired before its turn came"), facts(),
        ["It has not run and will not: it expired 2s ago: it had expired before its turn came."],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TABLE)
def test_the_reason_is(name: str) -> None:
    asked, known, expected = TABLE[name]
    said = reasons.reasons(asked, known)
    assert len(said) == len(expected)
    for sentence, start in zip(said, expected, strict=True):
        assert sentence.startswith(start)
        if start.endswith("."):
            assert sentence == start


@pytest.mark.parametrize("state", State)
def test_there_is_always_a_reason(state: State) -> None:
    assert all(reasons.reasons(job(state=state), facts(processes=processes)) for processes in (None, (), (ALIVE,)))


@pytest.mark.parametrize("module", [reasons, why, call, known, processes], ids=lambda module: module.__name__)
def test_the_examples_do_what_they_say(module: ModuleType) -> None:
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize(
    ("line", "queues"),
    [
        ("hourwheel worker -A shop", None),
        ("hourwheel worker -A shop -Q mail,sms -l info", {"mail", "sms"}),
        ("hourwheel -A shop worker -Qmail", {"mail"}),
        ("python -m hourwheel.cli worker --queues=mail,", {"mail"}),
        ("python -m hourwheel.cli worker --queues sms", {"sms"}),
        ("hourwheel worker -A shop -Q", None),
        ("gunicorn shop -Q mail", None),
        ("", None),
    ],
)
def test_the_queues_of_a_worker_are_read_off_its_command_line(line: str, queues: set[str] | None) -> None:
    assert queues_in(line.split()) == queues
