"""Command lines as people type them for Celery: each option and each command works, or says what becomes of it."""

from __future__ import annotations

import logging
import os
import re
import shlex
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hourwheel import Scheduler
from hourwheel.celery.command_table import COMMANDS as INSTEAD
from hourwheel.cli.commands import worker
from hourwheel.cli.parser import make_parser
from hourwheel.cli.program import COMMANDS
from hourwheel.tasks.default_app import set_default

from .conftest import Run

click = pytest.importorskip("click")
celery = pytest.importorskip("celery.bin.celery").celery
panel = pytest.importorskip("celery.worker.control").Panel

GUIDE = Path(__file__).parents[3] / "docs" / "guide-from-celery.md"
WORKS, TRANSLATED, IDLE, REFUSED = "works", "translated", "no effect here", "refused"
TABLE: dict[str, dict[str, list[tuple[str, str]]]] = {
    "": {
        "app": [("proj", WORKS), ("proj.celery", WORKS), ("proj.celery:app", WORKS)],
        "broker": [("redis://user:secret@there", IDLE)],
        "result_backend": [("redis://user:secret@there", IDLE)],
        "loader": [("my.Loader", REFUSED)],
        "config": [("proj.settings", REFUSED)],
        "workdir": [("/srv", REFUSED)],
        "no_color": [("", WORKS)],
        "quiet": [("", IDLE)],
        "version": [("", WORKS)],
        "skip_checks": [("", IDLE)],
    },
    "worker": {
        "hostname": [("w1", WORKS), ("w1@%h", TRANSLATED), ("worker1@example.com", TRANSLATED), ("@", REFUSED)],
        "detach": [("", REFUSED)],
        "statedb": [("worker.state", IDLE)],
        "loglevel": [("INFO", WORKS), ("debug", WORKS), ("FATAL", TRANSLATED)],
        "optimization": [("fair", IDLE), ("default", IDLE)],
        "prefetch_multiplier": [("1", IDLE)],
        "disable_prefetch": [("", IDLE)],
        "concurrency": [("2", WORKS), ("auto", TRANSLATED)],
        "pool": [
            *((name, WORKS) for name in ("prefork", "processes", "threads", "solo", "gevent", "eventlet")),
            ("custom", REFUSED),
        ],
        "task_events": [("", IDLE)],
        "time_limit": [("300", WORKS)],
        "soft_time_limit": [("200", WORKS)],
        "max_tasks_per_child": [("100", WORKS)],
        "pool_start_method": [("spawn", IDLE), ("fork", REFUSED), ("forkserver", REFUSED)],
        "max_memory_per_child": [("200000", WORKS)],
        "purge": [("", REFUSED)],
        "queues": [("celery,mail", WORKS)],
        "exclude_queues": [("mail", WORKS)],
        "include": [("proj.more", WORKS)],
        "without_gossip": [("", IDLE)],
        "without_mingle": [("", IDLE)],
        "without_heartbeat": [("", IDLE)],
        "heartbeat_interval": [("2", IDLE)],
        "autoscale": [("10,3", TRANSLATED), ("8", TRANSLATED), ("many", REFUSED), ("1,2,3", REFUSED)],
        "beat": [("", WORKS)],
        "schedule_filename": [("/var/run/beat", IDLE)],
        "scheduler": [("celery.beat:PersistentScheduler", IDLE), ("django", REFUSED)],
        "logfile": [("worker.log", WORKS), ("%n%I.log", REFUSED)],
        "pidfile": [("worker.pid", WORKS), ("%n.pid", REFUSED)],
        "uid": [("shop", REFUSED)],
        "gid": [("shop", REFUSED)],
        "umask": [("077", REFUSED)],
        "executable": [("python3", REFUSED)],
    },
    "call": {
        "args": [("[1, 2]", WORKS)],
        "kwargs": [('{"y": 2}', WORKS)],
        "eta": [("2030-03-17T18:00:00+00:00", WORKS)],
        "countdown": [("10.5", WORKS)],
        "expires": [("60", WORKS), ("2030-03-17T18:00:00+00:00", REFUSED)],
        "serializer": [("json", IDLE), ("pickle", REFUSED)],
        "queue": [("mail", WORKS)],
        "exchange": [("celery", REFUSED)],
        "routing_key": [("celery", REFUSED)],
    },
    "purge": {
        "force": [("", WORKS)],
        "queues": [("celery", WORKS)],
        "exclude_queues": [("mail", WORKS)],
    },
}
"""By command and parameter: what becomes of some of its values."""
REST = {"": ["stats"], "call": ["proj.tasks.add"], "purge": ["--force"], "worker": ["-P", "prefork"]}
"""Words after the option: what the command needs; and only a pool of processes has children."""


@pytest.fixture(autouse=True)
def proj(tmp_path: Path) -> Iterator[Path]:
    """A project laid out as Celery's documentation has it, but for the import; two jobs wait in its store."""
    (tmp_path / "proj").mkdir()
    text = "from hourwheel.celery import Celery\napp = Celery('proj', broker='redis://x', include=['proj.tasks'])\n"
    (tmp_path / "proj" / "__init__.py").write_text("")
    (tmp_path / "proj" / "celery.py").write_text(text)
    tasks = "from .celery import app\n@app.task\ndef add(x=0, y=0): ...\n@app.task(queue='mail')\ndef mail(): ...\n"
    (tmp_path / "proj" / "tasks.py").write_text(tasks)
    (tmp_path / "proj" / "more.py").write_text("from .celery import app\n@app.task\ndef more(): ...\n")
    with closing(Scheduler("tasks.json")) as app:
        for queue in ("celery", "mail"):
            app.send_task("proj.tasks.mail", queue=queue, countdown=60)
    root, level = logging.getLogger(), logging.getLogger().level
    before = list(root.handlers)
    yield tmp_path
    for handler in set(root.handlers) - {*before}:
        root.removeHandler(handler)
        handler.close()
    root.setLevel(level)
    set_default(None)


@pytest.fixture(autouse=True)
def ran(monkeypatch: pytest.MonkeyPatch) -> list[Scheduler]:
    """The schedulers that were asked to run; they return at once."""
    seen: list[Scheduler] = []
    monkeypatch.setattr(Scheduler, "run", lambda self, *, timeout: seen.append(self) or [])
    monkeypatch.setattr(worker, "patch_for", lambda pool, words: None)  # it would begin this very process anew
    return seen


def parameters(command: str) -> dict[str, Any]:
    found = celery if command == "" else celery.commands[command]
    return {one.name: one for one in found.params if isinstance(one, click.Option)}


def line(command: str, option: str, value: str) -> list[str]:
    given = [option, value] if value else [option]
    app = [] if option in ("-A", "--app") else ["-A", "proj"]
    words = [*app, *given, *REST[""]] if command == "" else [*app, command, *given, *REST[command]]
    return words[: -len(REST["worker"])] if option in ("-P", "--pool") else words


CASES = [
    pytest.param(command, option, value, outcome, id=f"{command} {option} {value}".strip())
    for command, table in TABLE.items()
    for name, values in table.items()
    for option in parameters(command)[name].opts
    for value, outcome in values
]


@pytest.mark.parametrize("command", TABLE, ids=lambda name: name or "celery")
def test_the_table_has_every_option_that_celery_has(command: str) -> None:
    assert set(TABLE[command]) == set(parameters(command))


@pytest.mark.parametrize(("command", "option", "value", "outcome"), CASES)
def test_what_becomes_of_an_option(run: Run, command: str, option: str, value: str, outcome: str) -> None:
    status, _, err = run(*line(command, option, value))
    assert "secret" not in err
    if outcome == WORKS:
        assert (status, err) == (0, "")
    elif outcome == TRANSLATED:
        assert (status, err.count("\n")) == (0, 1)
        assert err.startswith(f"hourwheel: {option} {value} is taken as -")
    elif outcome == IDLE:
        assert (status, err.count("\n")) == (0, 1)
        assert re.match(rf"hourwheel: no effect here: {re.escape(option)} \(.{{20,}}\)\n$", err)
    else:
        assert (status, err.count("\n")) == (2, 1)
        assert re.match(rf"hourwheel: {re.escape(option)} is not taken: .{{20,}}\n$", err)


# ---- commands --------------------------------------------------------------------------------------------


def below(command: str) -> list[str]:
    """What may follow a command: its own commands, and those of workers."""
    kinds = {"inspect": "inspect", "control": "control"}
    told = [name for name, info in panel.meta.items() if info.type == kinds.get(command)]
    return [*told, *getattr(celery.commands[command], "commands", {})]


THERE = {command.name for command in COMMANDS}
LINES = [[name] for name in celery.commands] + [[name, one] for name in celery.commands for one in below(name)]


@pytest.mark.parametrize("words", [*LINES, ["flower"]], ids=" ".join)
def test_a_command_is_here_or_says_what_to_do(run: Run, words: list[str]) -> None:
    if words[0] in THERE:
        assert make_parser(COMMANDS).parse_args([*words, "x"] if words == ["call"] else words).command
        return
    for app in (["-A", "proj"], []):
        status, out, err = run(*app, *words)
        assert (status, out, err.count("\n")) == (2, "", 1)
        assert re.match(rf"hourwheel: there is no command '{words[0]}': .{{20,}}\n$", err)
        assert "{" not in err


@pytest.mark.parametrize("name", parameters("beat"))
def test_whatever_beat_is_told_nothing_is_to_be_started(run: Run, name: str) -> None:
    for option in (*parameters("beat")[name].opts, *parameters("beat")[name].secondary_opts):
        for words in ([option, "x"], [f"{option}=x"], [option]):
            status, _, err = run("-A", "proj", "beat", *words)
            assert (status, err.count("\n")) == (2, 1)
            assert "Every `hourwheel worker -A proj` adds their fires" in err


def advised() -> set[str]:
    from hourwheel.celery import command_table as table

    options = [*table.GLOBAL, *table.WORKER, *table.CALL]
    said = [option.answer(value).says for option in options for value in ("1", "x", "fork", "2030-01")]
    quoted = (word for text in [*INSTEAD.values(), *said] for word in re.findall("`([^`]*)`", text))
    return {
        text if text.startswith("hourwheel") else f"hourwheel {text}" for text in quoted if not text.startswith(">")
    }


@pytest.mark.parametrize("app", ["", " -A proj"])
@pytest.mark.parametrize("advice", sorted(advised()))
def test_what_is_advised_can_be_typed(advice: str, app: str) -> None:
    words = shlex.split(advice.replace("{app}", app))[1:]
    assert words == ["--version"] or make_parser(COMMANDS).parse_args(words).command


# ---- whole lines -----------------------------------------------------------------------------------------


def test_a_long_line_of_a_unit_file_runs_as_it_is(run: Run, ran: list[Scheduler], proj: Path) -> None:
    words = "-A proj worker -l INFO -E -Ofair -n w1@%h -c2 --pool=prefork -Q celery,mail -X mail -f w.log -I proj.more"
    more = "--max-tasks-per-child=100 --without-gossip --without-mingle --prefetch-multiplier=1 -B"
    status, out, err = run(*words.split(), *more.split())
    assert status == 0
    (app,) = ran
    assert (app.pool.kind.name, app.workers, app.queues) == ("processes", 2, frozenset({"celery"}))
    assert app.owner.startswith("w1.")
    assert "proj.more.more" in app.registry.names()
    assert "every worker adds fires, also without -B" in out
    assert [line for line in err.splitlines() if "-n w1@%h is taken as -n w1." in line]
    assert "no effect here: --without-gossip, --without-mingle (" in err
    assert len(err.splitlines()) == 4
    logging.getLogger("proj").warning("to the file")
    assert "to the file" in (proj / "w.log").read_text()


def test_all_that_is_not_taken_is_said_at_once(run: Run, ran: list[Scheduler]) -> None:
    status, out, err = run("-A", "proj", "--workdir", "/x", "worker", "-D", "--umask=077", "--uid", "shop", "-E")
    assert (status, out, ran) == (2, "", [])
    assert [line.split()[1] for line in err.splitlines()] == ["--workdir", "-D", "--umask", "--uid"]


@pytest.mark.parametrize(
    ("words", "workers"),
    [("--autoscale 10,3", 10), ("--autoscale=3,10 -c 4", 10), ("-c4", 4), ("-c=4", 4), ("-Ec4", 4), ("-EBc 4", 4)],
)
def test_the_size_is_the_one_that_was_asked_for(run: Run, ran: list[Scheduler], words: str, workers: int) -> None:
    assert run("worker", "-A", "proj", *words.split())[0] == 0
    assert ran[0].workers == workers


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--without-gosip", "unrecognized arguments: --without-gosip; did you mean '--without-gossip'?"),
        ("--app=proj --autoscal 3", "did you mean '--autoscale'?"),
        ("--concurency 3 -E", "did you mean '--concurrency'?"),
        ("-E --whatever", "unrecognized arguments: --whatever\n"),
        ("-O", "unrecognized arguments: -O\n"),
        ("-E -n", "argument -n/--hostname: expected one argument\n"),
        ("--events=3", "hourwheel: --events is not taken: it takes no value\n"),
        ("-E --concurrency=0", "workers must be a whole number from 1 to 1024 for threads, got 0\n"),
        ("-E -c -1", "argument -c/--concurrency: "),
        ("-l INFOO -E", "did you mean 'info'?"),
        ("-P fork -E", "must be one of threads, processes"),
        ("-X celery,mail", "no queue is left without celery, mail; name some with -Q"),
        ("-Q mail -X mail", "no queue is left without mail; name some with -Q"),
        ("-I proj.nothing", "-I proj.nothing cannot be imported: InvalidValue: packages must be names of packages"),
        ("-f no/such/place.log", "no/such/place.log: No such file or directory"),
        ("-c 4 --max-tasks-per-child 9 -E", 'pass pool="processes"'),
        ("-- -E", "unrecognized arguments: -- -E"),
    ],
)
def test_what_is_wrong_is_still_said(run: Run, ran: list[Scheduler], words: str, message: str) -> None:
    status, _, err = run("-A", "proj", "worker", *words.split())
    assert (status, ran) == (2, [])
    assert message in err


def test_without_some_queues_the_others_of_the_app_are_taken(run: Run, ran: list[Scheduler]) -> None:
    _, out, err = run("-A", "proj", "worker", "-X", "mial")
    assert "no task of the app uses queue 'mial'; did you mean 'mail'?" in err
    _, out, err = run("-A", "proj", "worker", "-X", "mail")
    assert ran[-1].queues == frozenset({"celery"})
    assert "  queues       celery\n" in out


def test_the_log_is_also_written_to_the_file_if_the_app_configures_logging(run: Run, proj: Path) -> None:
    logging.getLogger().addHandler(logging.NullHandler())
    assert run("-A", "proj", "worker", "-f", "w.log", "-l", "info")[0] == 0
    logging.getLogger("hourwheel.worker").info("said")
    assert "said" in (proj / "w.log").read_text()


def test_the_words_that_a_patched_process_gets_are_ours(
    run: Run, monkeypatch: pytest.MonkeyPatch, ran: list[Scheduler]
) -> None:
    """It would say a second time what has no effect."""
    seen: list[list[str]] = []
    monkeypatch.setattr(worker, "patch_for", lambda pool, words: seen.append(list(words)))
    assert run("-A", "proj", "worker", "-E", "--autoscale=5,1", "-P", "gevent")[0] == 0
    assert seen[0] == ["-A", "proj", "worker", "-P", "gevent", "-c", "5"]


# ---- the file with the number of the process, and the environment -----------------------------------------


def test_the_number_of_the_process_is_in_the_file_while_it_runs(
    run: Run, proj: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pidfile = proj / "worker.pid"
    seen: list[str] = []

    def runs(self: Scheduler, *, timeout: float) -> list[Any]:
        seen.append(pidfile.read_text())
        status, _, err = run("-A", "proj", "worker", "--pidfile", str(pidfile))
        assert (status, f"belongs to process {os.getpid()}, which runs" in err) == (2, True)
        assert pidfile.read_text() == seen[0]
        return []

    pidfile.write_text("999999\n")  # of a worker that was killed
    monkeypatch.setattr(Scheduler, "run", runs)
    assert run("-A", "proj", "worker", "--pidfile", str(pidfile))[0] == 0
    assert seen == [f"{os.getpid()}\n"]
    assert not pidfile.exists()


def test_a_mistyped_pidfile_would_have_emptied_another_file(run: Run, proj: Path, ran: list[Scheduler]) -> None:
    before = (proj / "proj" / "tasks.py").read_text()
    for path, told in (("proj/tasks.py", "something else in it"), ("no/such/x.pid", "No such file"), (".", "Is a dir")):
        status, _, err = run("-A", "proj", "worker", "--pidfile", path)
        assert (status, told in err, ran) == (2, True, [])
    assert (proj / "proj" / "tasks.py").read_text() == before


@pytest.mark.parametrize("name", sorted({one.name for one in parameters("worker").values()}))
def test_a_variable_that_celerys_worker_reads_is_told(run: Run, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(f"CELERY_WORKER_{name.upper()}", "1")
    monkeypatch.setenv("CELERY_CONFIG_MODULE", "")
    status, _, err = run("-A", "proj", "worker")
    assert (status, err.count("\n")) == (0, 1)
    assert re.match(rf"hourwheel: CELERY_WORKER_{name.upper()} is not read here: write --[a-z-]+(=1)?\n$", err)


def test_variables_are_told_to_those_who_come_from_celery_only(
    run: Run, proj: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (proj / "plain.py").write_text("from hourwheel import Scheduler\napp = Scheduler('tasks.json')\n")
    monkeypatch.setenv("CELERY_WORKER_CONCURRENCY", "4")
    monkeypatch.setenv("CELERY_LOADER", "my.Loader")
    assert run("-A", "plain", "worker")[2] == ""
    assert "CELERY_LOADER is not read here: write app.config_from_object(...)" in run("-A", "proj", "worker")[2]


# ---- the guide -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["", "worker"], ids=["celery", "worker"])
def test_the_guide_has_every_option(command: str) -> None:
    text = GUIDE.read_text(encoding="utf-8").partition("## The command line")[2].partition("\n## ")[0]
    missing = {opt for one in parameters(command).values() for opt in one.opts if not re.search(rf"`{opt}[ `=]", text)}
    assert missing == set()


def test_the_guide_has_every_command() -> None:
    text = GUIDE.read_text(encoding="utf-8").partition("## The command line")[2].partition("\n## ")[0]
    assert {name for name in celery.commands if not re.search(rf"`{name}[ `]", text)} == set()
