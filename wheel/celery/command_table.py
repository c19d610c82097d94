"""Celery's command line as tables: what becomes of each option, and of each command that is not here.

An option works, because ours is the same; is translated; has no effect here, which is said; or is refused with what to
do instead. None is passed over in silence if that changes what the user gets.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

from ..kernel import processors


class Outcome(StrEnum):
    """What becomes of an option, in the words of the guide."""

    WORKS = "works"
    TRANSLATED = "translated"
    IDLE = "no effect here"
    REFUSED = "refused"


class Answer(NamedTuple):
    """What becomes of an option with its value."""

    outcome: Outcome
    says: str = ""
    """Why, or what to do instead."""
    words: tuple[str, ...] = ()
    """What it is translated to."""


@dataclass(frozen=True, slots=True)
class Option:
    """One option of a command of Celery's."""

    names: tuple[str, ...]
    takes: bool
    """Whether it has a value."""
    answer: Callable[[str], Answer]


_WORKS: Final = Answer(Outcome.WORKS)


def _option(names: str, answer: Answer | Callable[[str], Answer]) -> Option:
    """An option; its names end in "=" if it takes a value."""
    given = answer if callable(answer) else lambda _: answer
    return Option(tuple(names.rstrip("=").split()), names.endswith("="), given)


def _idle(says: str) -> Answer:
    return Answer(Outcome.IDLE, says)


def _refused(says: str) -> Answer:
    return Answer(Outcome.REFUSED, says)


def _taken(*words: str, says: str = "") -> Answer:
    return Answer(Outcome.TRANSLATED, says, words)


def _works(*names: str) -> list[Option]:
    return [_option(one, _WORKS) for one in names]


def by_name(options: Iterable[Option]) -> dict[str, Option]:
    """The options by each of their names."""
    return {name: option for option in options for name in option.names}


# ---- options whose value decides -------------------------------------------------------------------------


def _concurrency(value: str) -> Answer:
    if value.lower() == "auto":
        return _taken("-c", str(processors()), says="one for each processor")
    return _WORKS


def _level(value: str) -> Answer:
    return _taken("-l", "critical") if value.upper() == "FATAL" else _WORKS


def _kind(value: str) -> Answer:
    if value == "custom":
        return _refused("pools of one's own are not taken; see docs/pools.md for those there are")
    return _WORKS


def _autoscale(value: str) -> Answer:
    sizes = value.split(",")
    if len(sizes) > 2 or not all(re.fullmatch(r"\d{1,9}", size.strip()) for size in sizes):
        return _refused(f"it must be two whole numbers, as in 10,3; got {value!r}")
    return _taken("-c", str(max(map(int, sizes))), says="the number of workers does not change while it runs")


def _hostname(value: str) -> Answer:
    if re.fullmatch(r"[\w.-]+", value, re.ASCII):
        return _WORKS
    host = socket.gethostname()
    name, _, domain = host.partition(".")
    known = {"%h": host, "%n": name, "%d": domain}
    filled = re.sub("%[hnd]", lambda code: known[code[0]], value)
    made = re.sub(r"[^A-Za-z0-9._-]+", ".", filled.removesuffix("@")).strip(".")
    return _taken("-n", made) if made else _refused(f"it must have letters or digits, got {value!r}")


def _logfile(value: str) -> Answer:
    if "%" not in value:
        return _WORKS
    return _refused(f"codes such as %n are not filled in; give each worker a path of its own, got {value!r}")


def _start_method(value: str) -> Answer:
    if value == "spawn":
        return _idle("worker processes are always spawned")
    return _refused("worker processes are always spawned; what they need at first, load in worker_process_init")


def _scheduler(value: str) -> Answer:
    if value in ("celery.beat:PersistentScheduler", "celery.beat.PersistentScheduler"):
        return _idle(_SCHEDULES)
    return _refused(
        "schedules are not read from elsewhere; add them: `hourwheel schedules add NAME --every 5m --task shop.clean`"
    )


def _expires(value: str) -> Answer:
    if re.match(r"\d{4}-\d", value):
        return _refused("say how long from now it may start, as in --expires 1h")
    return _WORKS


def _serializer(value: str) -> Answer:
    return _idle("arguments are always JSON") if value == "json" else _refused("arguments are always JSON")


# ---- the options -----------------------------------------------------------------------------------------

_BROKER: Final = "there is no broker; jobs and their results are in the store of the app, or HOURWHEEL_STORE"
_FAIR: Final = "a job is claimed when a worker is free, so there is nothing to tune"
_QUIET: Final = "workers do not talk to each other; the store knows which of them live"
_SCHEDULES: Final = "schedules and their next fires are in the store"
_DAEMON: Final = "start the worker with systemd, supervisor or a container, which do that: docs/deployment.md"
_ROUTE: Final = "there are no exchanges; write --queue NAME"

GLOBAL: Final = (
    *_works("-A --app=", "-C --no-color", "--version"),
    _option("-b --broker=", _idle(_BROKER)),
    _option("--result-backend=", _idle(_BROKER)),
    _option("--loader=", _refused("settings are read by app.config_from_object(...), where the app is made")),
    _option("--config=", _refused('write app.config_from_object("MODULE") where the app is made')),
    _option(
        "--workdir=", _refused("change the directory first: cd DIR && hourwheel ..., or WorkingDirectory= of systemd")
    ),
    _option(
        "-q --quiet", _idle("its banner goes to stdout, so `> /dev/null` hides it, and -l says how much is logged")
    ),
    _option("--skip-checks", _idle("Django's checks are not run")),
)
"""Those that stand before the command."""
WORKER: Final = (
    *_works(
        "-Q --queues=", "-X --exclude-queues=", "-I --include=", "-B --beat", "--time-limit=", "--soft-time-limit="
    ),
    *_works("--max-tasks-per-child=", "--max-memory-per-child="),
    _option("-c --concurrency=", _concurrency),
    _option("-P --pool=", _kind),
    _option("-l --loglevel=", _level),
    _option("-f --logfile=", _logfile),
    _option("-n --hostname=", _hostname),
    _option("--autoscale=", _autoscale),
    _option("-E --events --task-events", _idle("workers send no events; connect signals, or see `hourwheel jobs`")),
    _option("-O --optimization=", _idle(_FAIR)),
    _option("--prefetch-multiplier=", _idle(_FAIR)),
    _option("--disable-prefetch", _idle(_FAIR)),
    _option("--without-gossip", _idle(_QUIET)),
    _option("--without-mingle", _idle(_QUIET)),
    _option("--without-heartbeat", _idle(_QUIET)),
    _option("--heartbeat-interval=", _idle(_QUIET)),
    _option("-S --statedb=", _idle("what was revoked is in the store")),
    _option("-s --schedule --schedule-filename=", _idle(_SCHEDULES)),
    _option("--scheduler=", _scheduler),
    _option("--pool-start-method=", _start_method),
    _option("--purge --discard", _refused("run `hourwheel purge{app} --force` first; it cancels all jobs that wait")),
    _option("-D --detach", _refused(f"a worker stays in the foreground; {_DAEMON}")),
    _option("--pidfile=", _logfile),
    _option("--uid=", _refused("start it as that user: User= of systemd, or sudo -u USER")),
    _option("--gid=", _refused("start it as that group: Group= of systemd, or sudo -g GROUP")),
    _option("--umask=", _refused("set it before: UMask= of systemd. The files of a store are always private")),
    _option("--executable=", _refused("run the Python that you mean: PYTHON -m hourwheel.cli worker ...")),
)
CALL: Final = (
    *_works("-a --args=", "-k --kwargs=", "--eta=", "--countdown=", "--queue="),
    _option("--expires=", _expires),
    _option("--serializer=", _serializer),
    _option("--exchange=", _refused(_ROUTE)),
    _option("--routing-key=", _refused(_ROUTE)),
)
PURGE: Final = tuple(_works("-f --force", "-Q --queues=", "-X --exclude-queues="))
OPTIONS: Final[Mapping[str, tuple[Option, ...]]] = {"worker": WORKER, "call": CALL, "purge": PURGE}
"""Those of the commands that are here, too."""

# ---- the commands ----------------------------------------------------------------------------------------

_STATE: Final = "workers answer no questions, the store does"
_RUNNING: Final = f"{_STATE}: `hourwheel jobs{{app}} --state running`"
_NO_CONTROL: Final = (
    "workers take no commands from others; stop one with SIGTERM, see `hourwheel pause{app} -Q NAME`, and give options "
    "to `hourwheel worker`"
)
_EVENTS: Final = "workers send no events; `hourwheel jobs{app}`, `stats` and `agenda` show what is going on"
_MESSAGES: Final = "there is no broker, so there are no messages, exchanges and bindings; see `hourwheel jobs{app}`"

COMMANDS: Final[Mapping[str, str]] = {
    "beat": "nothing is to be started for schedules. Every `hourwheel worker{app}` adds their fires, each of them "
    "once, however many workers there are; `hourwheel schedules{app}` shows them",
    "inspect": f"{_STATE}: `hourwheel jobs{{app}}`, `stats`, `agenda`, `why ID`",
    "inspect active": _RUNNING,
    "inspect active_queues": f"{_STATE}: `hourwheel stats{{app}}`",
    "inspect conf": "all settings are in `hourwheel config{app}`",
    "inspect ping": f"{_STATE}: `hourwheel stats{{app}}` says what is overdue, `check{{app}}` if it is sound",
    "inspect query_task": "`hourwheel show{app} ID`, or `why{app} ID`",
    "inspect registered": "`hourwheel preflight{app}` says which waiting jobs no task of the app can run",
    "inspect report": "all settings are in `hourwheel config{app}`",
    "inspect reserved": f"a job is claimed when a worker is free; {_RUNNING}",
    "inspect revoked": "`hourwheel jobs{app} --state cancelled`",
    "inspect scheduled": "`hourwheel jobs{app} --state scheduled`, or `agenda{app}`",
    "inspect stats": f"{_STATE}: `hourwheel stats{{app}}`",
    "control": _NO_CONTROL,
    "control cancel_consumer": "`hourwheel pause{app} -Q NAME` pauses a queue for all workers",
    "control add_consumer": "start a worker with -Q NAME; `hourwheel resume{app} -Q NAME` resumes a paused queue",
    "control rate_limit": "it is the task's: @app.task(rate_limit=...); see `hourwheel pause{app} -T TASK`",
    "control time_limit": "it is the task's: @app.task(time_limit=...), or `hourwheel worker{app} --time-limit 60`",
    "control revoke": "a job is cancelled by `hourwheel cancel{app} ID`",
    "control terminate": "a run is not stopped from outside; `hourwheel cancel{app} ID` asks it to stop",
    "status": f"{_STATE}: `hourwheel stats{{app}}` counts the jobs and says what is overdue",
    "result": "a job and its result are shown by `hourwheel show{app} ID`",
    "report": "`hourwheel --version` and `hourwheel config{app}`",
    "shell": "start Python and import the app",
    "multi": f"{_DAEMON}. One worker with -c N does the work of several",
    "events": _EVENTS,
    "flower": _EVENTS,
    "list": _MESSAGES,
    "amqp": _MESSAGES,
    "migrate": "there is no broker; `hourwheel move{app} TO` moves a store, and a last Celery worker empties a broker",
    "graph": "`hourwheel ring{app}` and `hourwheel agenda{app}` draw what waits",
    "upgrade": "settings are read under both their names, or refused with what to write",
    "logtool": "the log is Python's; `hourwheel jobs{app} --state failed` lists failures, `show{app} ID` one traceback",
}
"""What to do instead of a command, or of the command that follows it; {app} stands for " -A proj"."""
