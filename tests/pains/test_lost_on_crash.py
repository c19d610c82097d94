"""B: what was scheduled, or ran, is lost when a worker ends, or comes back an hour later."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hourwheel import Claim, Scheduler, State, StoreError, Task
from hourwheel.store import JsonStore
from hourwheel.testing import FakeClock

from tests.kit.systems import Failing

from .conftest import Opened

KILLED = """
import os, signal, sys
from hourwheel import Scheduler
from hourwheel.testing import FakeClock

app = Scheduler(sys.argv[1], clock=FakeClock(1_800_000_000_000), durability="os")
app.task(name="mail")(lambda number: os.kill(os.getpid(), signal.SIGKILL))
app.send_task("mail", (1,), countdown=60)
app.send_task("mail", (2,))
app.send_task("mail", (3,), acks_early=True, priority=-1) if "once" in sys.argv else None
app.run_due()
"""


def killed(path: Path, *args: str) -> None:
    """A program that has scheduled jobs, and was killed with -9 in the midst of the one that was due."""
    env = os.environ | {"PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}
    ended = subprocess.run([sys.executable, "-c", KILLED, str(path), *args], env=env, timeout=60)
    assert ended.returncode == -9


def mail(app: Scheduler, ran: list[int]) -> Task[..., None]:
    @app.task(name="mail")
    def mail(number: int) -> None:
        ran.append(number)

    return mail


def dies_with(app: Scheduler, clock: FakeClock) -> list[Claim]:
    """The scheduler takes all that is due, and is gone: the kernel drops its life sign, as at any death."""
    claims = app.store.claim(app.owner, clock.now_ms(), 1000)
    app.close()
    return claims


def test_celery_3501_an_abrupt_end_lost_what_was_scheduled(tmp_path: Path, another: Opened, clock: FakeClock) -> None:
    """Also kombu #305; huey #844, #571, #598: a task that was killed in its midst is gone."""
    killed(tmp_path / "tasks.json")
    app, ran = another(), list[int]()
    mail(app, ran)
    app.run_due()
    assert ran == [2]
    clock.advance(60)
    app.run_due()
    assert ran == [2, 1]


def test_celery_4984_what_a_dead_worker_held_came_back_after_an_hour(
    tmp_path: Path, another: Opened, clock: FakeClock
) -> None:
    """Also celery #1307: the visibility timeout; dramatiq #64: seven days."""
    survivor = another()
    killed(tmp_path / "tasks.json")
    (claim,) = survivor.store.claim("survivor", clock.now_ms(), 10)  # no time has passed
    assert (claim.job.args, claim.job.attempt, claim.job.crashes) == ((2,), 2, 1)


def test_celery_3541_once_at_most_or_once_more_was_no_choice(tmp_path: Path, another: Opened, clock: FakeClock) -> None:
    """Also huey #253, #733: at most once, for all tasks, and no trace of what was lost."""
    killed(tmp_path / "tasks.json", "once")
    dies_with(another(), clock)  # it has taken both, the one that may run again and the one that may not
    app, ran = another(), list[int]()
    mail(app, ran)
    app.run_due()
    assert ran == [2]
    (lost,) = [job for job in app.store.scan() if job.state is State.FAILED]
    assert (lost.args, lost.attempt) == ((3,), 1)
    assert lost.error is not None and "died" in lost.error.message


def test_kombu_533_a_worker_that_was_restarted_had_forgotten_what_was_not_due(
    another: Opened, clock: FakeClock
) -> None:
    """Also dramatiq #527: after the restart delayed jobs did not run until something else came."""
    first, ran = another(), list[int]()
    mail(first, ran).delay(1, countdown=60)
    first.start()
    assert first.stop(timeout=10) == []
    first.close()
    second = another()
    mail(second, ran)
    assert (second.run_due(), ran) == (0, [])
    clock.advance(60)
    assert (second.run_due(), ran) == (1, [1])


def test_dramatiq_431_on_the_way_from_one_queue_to_the_other_a_job_was_in_both(
    another: Opened, clock: FakeClock
) -> None:
    apps = [another() for _ in range(3)]
    mail(apps[0], [])
    for number in range(50):
        apps[0].send_task("mail", (number,), countdown=10)
    clock.advance(10)
    claims = [claim for _ in range(6) for app in apps for claim in app.store.claim(app.owner, clock.now_ms(), 3)]
    assert sorted(claim.job.args[0] for claim in claims) == list(range(50))
    assert len({claim.token for claim in claims}) == 50


@pytest.mark.usefixtures("not_folded")
def test_huey_915_503_tasks_were_taken_from_the_schedule_and_never_reached_the_queue(
    tmp_path: Path, another: Opened, clock: FakeClock
) -> None:
    """Also huey #225. The process dies while it writes that it has taken them: at half of its record."""
    app, ran = another(), list[int]()
    app.schedule_many(mail(app, ran), [((n,), {}) for n in range(503)], countdown=5)
    clock.advance(5)
    (journal,) = tmp_path.glob("tasks.json.journal.*")
    before = len(journal.read_bytes().rstrip(b"\n"))
    assert len(dies_with(app, clock)) == 503
    after = journal.read_bytes().rstrip(b"\n")
    journal.write_bytes(after[: (before + len(after)) // 2])
    app = another()
    mail(app, ran)
    assert {job.state for job in app.store.scan(limit=1000)} == {State.SCHEDULED}
    app.run_due()
    assert sorted(ran) == list(range(503))


def test_procrastinate_1408_who_was_to_rescue_the_stalled_jobs_stalled_too(another: Opened, clock: FakeClock) -> None:
    """Also procrastinate #307, #740: nobody is asked to rescue, each claim of anybody does it."""
    first, ran = another(), list[int]()
    result = mail(first, ran).delay(1)
    dies_with(first, clock)
    dies_with(another(), clock)  # it has rescued the job, and died with it
    app = another()
    mail(app, ran)
    assert (app.run_due(), ran) == (1, [1])
    assert app.AsyncResult(result.id).state == "succeeded"


def test_procrastinate_1518_a_job_was_doing_for_ever(another: Opened, clock: FakeClock) -> None:
    """Also geolens #624: three weeks. One that kills whoever runs it ends as failed, and says why."""
    app = another()
    result = mail(app, []).delay(1)
    dies_with(app, clock)
    for _ in range(2):
        dies_with(another(), clock)
    app = another()
    assert app.run_due() == 0
    job = app.store.get([result.id])[0]
    assert job is not None and job.error is not None
    assert (job.state, job.crashes, app.store.stats(clock.now_ms()).running) == (State.FAILED, 3, 0)


@pytest.mark.parametrize("call", ["pwrite", "flock", "pread"])
def test_bullmq_2466_one_error_and_the_delayed_jobs_waited_for_a_restart(
    tmp_path: Path, clock: FakeClock, call: str
) -> None:
    """Also bullmq #1656, bull #2015: no timer leads to the next one, what is due is looked up anew each time."""
    system = Failing(call, errno.EIO)
    store = JsonStore(tmp_path / "tasks.json", clock=clock, durability="os", system=system)
    app, ran = Scheduler(store, clock=clock), list[int]()
    app.schedule_many(mail(app, ran), [((n,), {}) for n in range(5)], countdown=5)
    clock.advance(5)
    JsonStore(tmp_path / "tasks.json", clock=clock, durability="os").close()  # somebody else was here: read again
    system.failing = True
    with pytest.raises(StoreError):
        app.run_due()
    system.failing = False
    app.run_due()
    assert sorted(ran) == list(range(5))
    assert store.check() == []
    app.close()
    store.close()
