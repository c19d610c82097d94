"""What user code sees in a job: the same in every kind of pool, but for what docs/pools.md says.

shop.py plays ``seen(app)`` in each kind; each entry is compared by test_pools.py.
"""

from __future__ import annotations

import asyncio
import contextvars
import json
import logging
import multiprocessing
import os
import subprocess
import sys
import threading
import time
import warnings
from functools import partial
from pathlib import Path
from typing import Any

from hourwheel import Retry, Scheduler, Snooze, current_job, task
from hourwheel.tasks.default_app import get_default
from hourwheel.worker.pool.kinds import KINDS

LONG_S = 30
KIND = os.environ["POOL_KIND"]
GREEN = ("gevent", "eventlet")
LOG = logging.getLogger("seen.mail")
HOOKS = Path(os.environ["POOL_STORE"] + ".hooks")
TOLD = ("before_add", "received", "started", "succeeded", "failed", "retried", "snoozed")
LIFE = ("worker_process_init", "worker_process_shutdown", "worker_ready", "shutdown")
mark: contextvars.ContextVar[str] = contextvars.ContextVar("mark", default="clean")


# ---- hooks -----------------------------------------------------------------------------------------------


def note(name: str, *args: Any) -> None:
    """Which hook was called, with what, in which process."""
    job = args[0] if hasattr(args[0], "task") and not isinstance(args[0], Scheduler) else None
    kinds = [type(one).__name__ for one in args]
    with HOOKS.open("a") as file:
        file.write(json.dumps([name, None if job is None else job.id, kinds, os.getpid()]) + "\n")


def set_hooks(app: Scheduler) -> None:
    for name in (*TOLD, *LIFE):
        getattr(app.on, name)(partial(note, name))


def told() -> list[Any]:
    return [json.loads(line) for line in HOOKS.read_text().splitlines()]


# ---- tasks -----------------------------------------------------------------------------------------------


@task
def where() -> Any:
    return [os.getpid(), threading.current_thread() is threading.main_thread(), "seen" in sys.modules]


@task
def surroundings() -> Any:
    return [os.environ.get("SET_BY_THE_PROGRAM"), os.getcwd(), sys.argv, sys.path, os.path.basename(sys.executable)]


@task
def default_store() -> str:
    return os.path.basename(str(get_default().store.path))  # type: ignore[attr-defined]


@task(bind=True, queue="default", priority=3)
def about_itself(self: Any, n: int, *, word: str) -> Any:
    job = current_job()
    assert job is not None
    request = self.request
    fields = [
        job.task,
        job.queue,
        job.priority,
        job.attempt,
        str(job.state),
        list(job.args),
        job.kwargs,
        bool(job.owner),
    ]
    asked = [request.id == job.id, request.retries, list(request.args), request.kwargs, request.called_directly]
    return [job.id, fields, asked, job.token > 0, job.started_ms is not None]


@task
def child(n: int) -> int:
    return n * n


@task
def parent(n: int) -> int:
    return child.delay(n).get(timeout=LONG_S)


@task
def raises(how: str) -> None:
    match how:
        case "cause":
            try:
                {}["lamp"]  # noqa: B018
            except KeyError as error:
                raise ValueError("no lamp") from error
        case "note":
            error = ValueError("dark")
            error.add_note("light it first")
            raise error
        case "group":
            raise ExceptionGroup("both", [ValueError("one"), KeyError("two")])
        case "exit":
            sys.exit("enough")
        case "interrupt":
            raise KeyboardInterrupt
        case "cancelled":
            raise asyncio.CancelledError
        case "stop":
            raise StopIteration("over")
        case "import":
            import no_such_module  # noqa: F401
        case "deep":
            raises_deep(0)


def raises_deep(n: int) -> int:
    return raises_deep(n + 1) + 1


@task(autoretry_for=(ValueError,), default_retry_delay=0, max_retries=5)
def tried_again_by_exception() -> int:
    job = current_job()
    assert job is not None
    if job.retries < 2:
        raise ValueError
    return job.retries


@task(bind=True)
def tried_again_by(self: Any, how: str) -> Any:
    if how == "snooze":
        if current_job().reason is None and not os.path.exists(os.environ["POOL_STORE"] + ".snoozed"):  # type: ignore[union-attr]
            Path(os.environ["POOL_STORE"] + ".snoozed").touch()
            raise Snooze(0.01)
    elif self.request.retries < 1:
        raise self.retry(countdown=0) if how == "self.retry" else Retry(countdown=0)
    return [self.request.retries, current_job().attempt]  # type: ignore[union-attr]


@task(bind=True)
def says_how_far(self: Any) -> None:
    self.update_state(state="PROGRESS", meta={"done": 1})


@task
def speaks(word: str) -> None:
    print(f"printed: {word}")
    warnings.warn(f"warned: {word}", UserWarning, stacklevel=1)
    LOG.debug("not shown")
    LOG.warning("logged: %s", word, extra={"count": 3})
    try:
        raise ValueError("logged with its traceback")
    except ValueError:
        LOG.exception("failed: %s", word)


@task
def leaves_a_mark() -> str:
    found = mark.get()
    mark.set("dirty")
    return found


@task
def starts_others() -> Any:
    ran = subprocess.run([sys.executable, "-c", "print(6 * 7)"], capture_output=True, text=True, check=False)
    found: list[int] = []
    thread = threading.Thread(target=found.append, args=(1,))
    thread.start()
    thread.join(LONG_S)
    return [ran.stdout.strip(), found]


@task
def starts_its_scheduler() -> str:
    get_default().start()  # type: ignore[attr-defined]
    return "runs already"


@task
def forks() -> Any:
    process = multiprocessing.get_context("fork").Process(target=os.getpid)
    process.start()
    process.join(LONG_S)
    return process.exitcode == 0


@task(bind=True)
def can_be_cancelled(self: Any) -> str:
    until = time.monotonic() + LONG_S
    while time.monotonic() < until:
        if self.is_cancelled():
            return "looked"
        time.sleep(0.01)
    return "never asked"


@task
def big(text: str) -> str:
    return text[::-1]


@task(concurrency=1)
def one_at_a_time() -> Any:
    begun = time.monotonic()
    time.sleep(0.03)
    return [begun, time.monotonic()]


if KINDS[KIND].runs_coroutines:

    @task
    async def coroutine(n: int) -> Any:
        await asyncio.sleep(0.001)
        job = current_job()
        assert job is not None
        inner = await child.adelay(n)
        return [job.task, await inner.aget(timeout=LONG_S), asyncio.get_running_loop().is_running()]

    @task
    async def coroutine_raises() -> None:
        await asyncio.sleep(0)
        raise ValueError("in a coroutine")

    @task
    async def coroutine_is_cancelled() -> None:
        raise asyncio.CancelledError


# ---- what came of them -----------------------------------------------------------------------------------


class Listening(logging.Handler):
    """What arrives in the program, of what jobs log."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[Any] = []

    def emit(self, record: logging.LogRecord) -> None:
        text = record.exc_text or (logging.Formatter().formatException(record.exc_info) if record.exc_info else "")
        self.lines.append(
            [record.name, record.levelname, record.getMessage(), getattr(record, "count", None), text[-36:]]
        )


def failure(result: Any) -> list[Any]:
    try:
        return ["returned", result.get(timeout=LONG_S), ""]
    except Exception as error:
        return [getattr(error, "type", type(error).__name__), str(error), getattr(error, "traceback", "") or ""]


def errors() -> dict[str, Any]:
    ways = ("cause", "note", "group", "exit", "interrupt", "cancelled", "stop", "import", "deep")
    found = {how: failure(raises.delay(how)) for how in ways}
    return {
        how: [
            kind,
            message.splitlines()[0][:60],
            "in raises" in traceback,
            "hourwheel" not in traceback.split("raises")[0],
        ]
        for how, (kind, message, traceback) in found.items()
    } | {
        "cause is told": "direct cause" in found["cause"][2] and "KeyError: 'lamp'" in found["cause"][2],
        "note is told": "light it first" in found["note"][2],
        "group is told": "KeyError: 'two'" in found["group"][2],
    }


def hooks_of(id: str, pid: int) -> list[Any]:
    """The hooks that were called for a job: which, with what, and whether in the process that ran it."""
    return [
        [name, kinds[1:], True if name in ("before_add", "received") else where == pid]
        for name, job, kinds, where in told()
        if job == id
    ]


def spoken(app: Scheduler) -> list[Any]:
    listening = Listening()
    LOG.addHandler(listening)
    LOG.setLevel(logging.INFO)
    try:
        speaks.delay("hello").get(timeout=LONG_S)
        return listening.lines
    finally:
        LOG.removeHandler(listening)


def cancelled() -> list[Any]:
    result = can_be_cancelled.delay()
    while result.state != "running":
        time.sleep(0.005)
    found = str(result.cancel())
    return [found, result.get(timeout=LONG_S), str(result.state)]


def overlap(intervals: list[Any]) -> bool:
    ordered = sorted(intervals)
    return any(ends > begins for (_, ends), (begins, _) in zip(ordered, ordered[1:], strict=False))


def seen(app: Scheduler, workers: int, coroutines: bool) -> dict[str, Any]:
    ran = where.delay()
    pid, in_main_thread, imported = ran.get(timeout=LONG_S)
    around = surroundings.delay().get(timeout=LONG_S)
    itself = about_itself.delay(7, word="x")
    own_id, *about = itself.get(timeout=LONG_S)
    broken, again = raises.delay("note"), tried_again_by.delay("self.retry")
    found: dict[str, Any] = {
        "in another process": pid != os.getpid(),
        "in its main thread": in_main_thread,
        "the task's module is imported": imported,
        "the default scheduler": default_store.delay().get(timeout=LONG_S),
        "environment, directory, arguments, path": around
        == [os.environ["SET_BY_THE_PROGRAM"], os.getcwd(), sys.argv, sys.path, os.path.basename(sys.executable)],
        "current_job() and self.request": [own_id == itself.id, *about],
        "get() in as many jobs as there are workers, and one more": [
            one.get(timeout=LONG_S) for one in [parent.delay(n) for n in range(workers + 1)]
        ],
        "errors": errors(),
        "tried again": [
            tried_again_by_exception.delay().get(timeout=LONG_S),
            *(tried_again_by.delay(how).get(timeout=LONG_S) for how in ("self.retry", "Retry", "snooze")),
        ],
        "progress": progress(),
        "log lines": spoken(app),
        "context variables": [leaves_a_mark.delay().get(timeout=LONG_S) for _ in range(2 * workers)],
        "start() in a job": starts_its_scheduler.delay().get(timeout=LONG_S),
        "may fork": KIND not in GREEN and forks.delay().get(timeout=LONG_S),
        "programs and threads that it starts": starts_others.delay().get(timeout=LONG_S),
        "cancelled while it runs": cancelled(),
        "a large argument and result": big.delay("ab" * 50_000).get(timeout=LONG_S) == "ba" * 50_000,
        "concurrency=1": overlap([one.get(timeout=LONG_S) for one in [one_at_a_time.delay() for _ in range(4)]]),
        "coroutines": [
            coroutine.delay(3).get(timeout=LONG_S),
            failure(coroutine_raises.delay())[:2],
            failure(coroutine_is_cancelled.delay())[0],
        ]
        if coroutines
        else "refused",
    }
    failure(broken), again.get(timeout=LONG_S)
    here = os.getpid() if pid == os.getpid() else None
    found["hooks"] = {
        "succeeds": hooks_of(ran.id, pid),
        "fails": [[name, kinds] for name, kinds, _ in hooks_of(broken.id, pid)],
        "is tried again": [name for name, *_ in hooks_of(again.id, pid)],
    }
    inits = [where for name, _, _, where in told() if name == "worker_process_init"]
    found["worker_process_init"] = [pid in inits, len(inits) == len(set(inits)), here is None or set(inits) == {here}]
    return found


def progress() -> Any:
    result = says_how_far.delay()
    result.get(timeout=LONG_S)
    return result.progress
