"""What goes wrong is said in one line, with the right status, and nothing is made by looking."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hourwheel.cli import main
from hourwheel.cli import program as program_module
from hourwheel.cli.command import Command

from .conftest import Run

LOOKING = [
    ("jobs", "{}"),
    ("stats", "{}"),
    ("ring", "{}"),
    ("check", "{}"),
    ("check", "{}", "--accept-edit"),
    ("compact", "{}"),
    ("repair", "{}"),
    ("show", "x", "--store", "{}"),
    ("cancel", "x", "--store", "{}"),
    ("reschedule", "x", "--countdown", "5", "--store", "{}"),
]


def words_for(words: tuple[str, ...], store: object) -> list[str]:
    return [word.format(store) for word in words]


@pytest.mark.parametrize("words", LOOKING, ids=" ".join)
def test_to_look_for_a_store_does_not_make_one(run: Run, tmp_path: Path, words: tuple[str, ...]) -> None:
    status, out, err = run(*words_for(words, "none.json"))
    assert (status, out, err) == (2, "", f"hourwheel: there is no store at {tmp_path / 'none.json'}\n")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("words", LOOKING, ids=" ".join)
@pytest.mark.parametrize("content", [b"", b"hello\n", b'{"tasks": []}\n', b"\xff\xfe\0"])
def test_what_is_no_store_is_called_so(run: Run, tmp_path: Path, words: tuple[str, ...], content: bytes) -> None:
    (tmp_path / "notes.json").write_bytes(content)
    status, out, err = run(*words_for(words, "notes.json"))
    assert (status, out) == (2, "")
    assert "not an Hourwheel store" in err
    assert err.count("\n") == 1
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"notes.json": content}


@pytest.mark.parametrize("words", LOOKING, ids=" ".join)
def test_a_newer_format_is_called_so(run: Run, store: Path, words: tuple[str, ...]) -> None:
    store.write_text(store.read_text().replace('"min_reader":1', '"min_reader":99'))
    status, out, err = run(*words_for(words, store))
    assert (status, out) == (2, "")
    assert "newer Hourwheel" in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("words", LOOKING, ids=" ".join)
def test_a_directory_is_no_store(run: Run, tmp_path: Path, words: tuple[str, ...]) -> None:
    (tmp_path / "dir").mkdir()
    status, out, err = run(*words_for(words, "dir"))
    assert (status, out) == (2, "")
    assert "not a regular file" in err or "Is a directory" in err


@pytest.mark.parametrize("words", LOOKING, ids=" ".join)
@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("memory:", "in the memory of one process"),
        ("mongodb://x", "url must be a path, json:PATH or memory:"),
        ("json://host/x", "a local path after its scheme"),
    ],
)
def test_a_url_of_no_use_is_explained(run: Run, words: tuple[str, ...], url: str, message: str) -> None:
    status, out, err = run(*words_for(words, url))
    assert (status, out) == (2, "")
    assert message in err


def test_a_store_is_named_by_url_too(run: Run, store: Path) -> None:
    assert run("check", f"json:{store}?durability=os")[0] == 0
    assert "options must be those of JsonStore" in run("check", f"json:{store}?colour=blue")[2]


@pytest.mark.skipif(os.getuid() == 0, reason="root may read everything")
def test_a_store_that_may_not_be_read_is_an_error(run: Run, store: Path) -> None:
    store.chmod(0)
    status, _, err = run("jobs", store)
    assert status == 2
    assert "Permission denied" in err


# ---- which store -----------------------------------------------------------------------------------------


def test_a_store_must_be_named(run: Run) -> None:
    status, _, err = run("jobs")
    assert status == 2
    assert err == "hourwheel: no store given: pass its path or URL, or -A module:app, or set HOURWHEEL_STORE\n"


def test_the_environment_names_the_store(run: Run, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOURWHEEL_STORE", str(store))
    assert run("jobs")[0] == 0
    assert run("show", "soon")[0] == 0
    assert run("check", "none.json")[0] == 2  # what is said comes first


def test_the_environment_names_the_app(run: Run, module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOURWHEEL_APP", module)
    assert run("jobs")[0] == 0
    assert run("cancel", "soon")[0] == 0


def test_an_app_that_is_named_comes_before_a_store_in_the_environment(
    run: Run, module: str, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOURWHEEL_STORE", "none.json")
    assert str(store) in run("stats", "-A", module)[1]
    assert str(store) in run("-A", module, "stats")[1]


def test_the_store_of_an_app_is_not_made_by_looking(run: Run, tmp_path: Path) -> None:
    (tmp_path / "fresh.py").write_text("from hourwheel import Scheduler\napp = Scheduler('later.json')\n")
    status, _, err = run("jobs", "-A", "fresh")
    assert status == 2
    assert f"there is no store at {tmp_path / 'later.json'}" in err
    assert not list(tmp_path.glob("later*"))


def test_the_store_in_the_memory_of_an_app_can_be_looked_at_but_not_repaired(run: Run, tmp_path: Path) -> None:
    text = "from hourwheel.store import MemoryStore\nfrom hourwheel import Scheduler\napp = Scheduler(MemoryStore())\n"
    (tmp_path / "inmemory.py").write_text(text)
    assert run("jobs", "-A", "inmemory")[:2] == (0, "no jobs\n")
    assert run("check", "-A", "inmemory")[0] == 0
    assert "pass the store's file instead" in run("repair", "-A", "inmemory")[2]
    assert "only a JSON store can be compacted" in run("compact", "-A", "inmemory")[2]


EACH = [
    (["jobs"], []),
    (["stats"], []),
    (["ring"], []),
    (["check"], []),
    (["schedules"], []),
    (["agenda"], []),
    (["simulate"], []),
    (["compact"], []),
    (["pause", "-Q", "mail"], []),
    (["resume", "-Q", "mail"], []),
    (["purge", "-f"], []),
    (["show"], ["soon"]),
    (["why"], ["soon"]),
    (["cancel"], ["soon"]),
    (["cancel", "--all", "-y"], []),
    (["retry"], ["bad", "done"]),
    (["retry", "--failed", "-y"], []),
    (["forget"], ["bad"]),
    (["reschedule", "--countdown", "5"], ["soon"]),
    (["call"], ["app.remind", "7"]),
    (["schedules add", "--every", "5m", "--task", "shop_tasks.remind", "--args", "[1]"], ["often"]),
    (["backup"], ["copy.json"]),
    (["move"], ["moved.json"]),
    (["repair"], []),
]


@pytest.mark.parametrize(("command", "rest"), EACH, ids=lambda words: " ".join(words))
@pytest.mark.parametrize("how", ["STORE", "--store", "-A", "environment"])
def test_every_command_takes_the_store_in_each_way(
    run: Run, store: Path, module: str, monkeypatch: pytest.MonkeyPatch, how: str, command: list[str], rest: list[str]
) -> None:
    if how == "environment":
        monkeypatch.setenv("HOURWHEEL_STORE", str(store))
    given = {"STORE": [store], "--store": ["--store", store], "-A": ["-A", module], "environment": []}[how]
    named = rest and command[0] == "call" and how == "-A"
    status, out, err = run(*command, *given, *(["shop_tasks.remind", "7"] if named else rest))
    assert status == 0, err
    assert out


def test_all_commands_that_have_a_store_are_tried(run: Run) -> None:
    app_only = {"worker", "run-due", "config", "preflight", "completion"}
    app_only |= {
        f"schedules {verb}" for verb in ("change", "remove", "pause", "resume")
    }  # these need one: test_stored_schedules
    assert {command[0] for command, _ in EACH} == {command.name for command in program_module.COMMANDS} - app_only


@pytest.mark.parametrize("words", [["jobs", "{}", "--store", "{}"], ["show", "{}", "soon", "--store", "x"]])
def test_a_store_is_named_once(run: Run, store: Path, words: list[str]) -> None:
    status, _, err = run(*words_for(tuple(words), store))
    assert (status, err.startswith("hourwheel: pass the store once: ")) == (2, True)


def test_ids_come_after_the_store_and_may_look_like_one(run: Run, store: Path) -> None:
    assert run("cancel", store, "soon", "late")[1] == "soon: cancelled\nlate: cancelled\n"
    assert run("cancel", "tasks.jsn", "--store", store)[1] == "tasks.jsn: not cancelled, there is no such job\n"
    assert run("cancel", "tasks.json", "--store", store)[1] == "tasks.json: not cancelled, there is no such job\n"


# ---- the program -----------------------------------------------------------------------------------------


def test_no_command_is_answered_with_help(run: Run) -> None:
    status, out, err = run()
    assert (status, out) == (2, "")
    assert "commands:" in err
    assert "exit status:" in err


def test_a_mistyped_command_is_guessed(run: Run) -> None:
    status, _, err = run("job", "x")
    assert status == 2
    assert "there is no command 'job'; did you mean 'jobs'?" in err


def test_an_unknown_command_is_answered_with_those_there_are(run: Run) -> None:
    status, _, err = run("frobnicate")
    assert status == 2
    assert "there is no command 'frobnicate'\nthe commands are worker, run-due, call, jobs, show, why, agenda" in err
    assert "did you mean" not in err


def test_a_store_in_place_of_a_command_is_guessed(run: Run, store: Path) -> None:
    assert f"there is no command '{store}'; did you mean 'hourwheel jobs {store}'?" in run(store)[2]


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["jobs", "--stat", "failed"], "--state"),
        (["jobs", "--jsn"], "--json"),
        (["cancel", "x", "--reson=paid"], "--reason"),
        (["reschedule", "x", "--countdwn", "5"], "--countdown"),
        (["purge", "--que", "mail"], "--queues"),
        (["-A", "shop", "agenda", "--nxt", "8h"], "--next"),
        (["call", "shop.welcome", "7", "--countdwn", "5"], "--countdown"),
        (["--verson"], "--version"),
        (["worker", "-P", "thread"], "threads"),
        (["worker", "-l", "inf"], "info"),
    ],
)
def test_a_mistyped_option_or_value_is_guessed(run: Run, words: list[str], meant: str) -> None:
    status, out, err = run(*words)
    assert (status, out) == (2, "")
    assert err.endswith(f"; did you mean {meant!r}?\n")


def test_an_unknown_option_is_an_error_of_the_command_that_does_not_have_it(run: Run) -> None:
    err = run("jobs", "--frobnicate", "x", "y", "z")[2]
    assert err.startswith("usage: hourwheel jobs ")
    assert "unrecognized arguments: --frobnicate" in err
    assert "did you mean" not in err


def test_the_version_is_told(run: Run) -> None:
    status, out, _ = run("--version")
    assert status == 0
    assert out.startswith("hourwheel ")


def broken(error: BaseException) -> Command:
    def run(args: Any, context: Any) -> int:
        raise error

    return Command(name="fail", summary="", description="", examples=("x",), takes=())(run)


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (KeyboardInterrupt(), 130, ""),
        (BrokenPipeError(), 141, ""),
        (OSError(28, "No space left on device", "/x"), 2, "hourwheel: /x: No space left on device\n"),
        (
            ZeroDivisionError("oops"),
            70,
            "hourwheel: unexpected ZeroDivisionError: oops (this is a bug; set HOURWHEEL_DEBUG=1 to see the traceback)\n",
        ),
    ],
)
def test_no_error_becomes_a_traceback(
    run: Run, error: BaseException, status: int, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(program_module, "COMMANDS", (broken(error),))
    monkeypatch.setattr(program_module, "_forget_output", lambda: None)
    assert run("fail") == (status, "", message)


def test_whoever_wants_the_traceback_can_have_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program_module, "COMMANDS", (broken(ZeroDivisionError("oops")),))
    monkeypatch.setenv("HOURWHEEL_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        main(["fail"])


def test_a_reader_that_goes_away_is_no_error(store: Path) -> None:
    """As in ``hourwheel jobs ... | head -1``: no message, no traceback."""
    command = [sys.executable, "-m", "hourwheel.cli", "ring", "--json", str(store)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.close()
    _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (141, b"")


def test_a_signal_at_the_keyboard_ends_the_program_quietly(store: Path) -> None:
    code = (
        "import os, signal, sys, time\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it\n"
        "from hourwheel.cli import main\n"
        "from hourwheel.cli.commands.stores import stats\n"
        "stats.ring_text = lambda *a, **k: (os.kill(os.getpid(), signal.SIGINT), time.sleep(20))\n"
        f"sys.exit(main(['ring', {str(store)!r}]))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=30, check=False)
    assert (done.returncode, done.stderr) == (128 + signal.SIGINT, b"")


def test_output_that_the_terminal_cannot_show_is_replaced(store: Path) -> None:
    environ = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    command = [sys.executable, "-m", "hourwheel.cli", "ring", str(store)]
    done = subprocess.run(command, capture_output=True, timeout=30, check=False, env=environ)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"00:00 ?" in done.stdout
