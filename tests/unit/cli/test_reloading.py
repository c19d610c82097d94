"""``hourwheel worker --reload``: when the child is ended and started. (Real files and children: tests/process.)"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from hourwheel.cli.commands import reloading
from hourwheel.cli.commands.reloading import Reloader, edits

from .conftest import Run


class Child:
    """A process that ends when it is told to, or by itself."""

    def __init__(self, *, status: int | None = None, deaf: bool = False) -> None:
        self.returncode: Any = status
        self.deaf = deaf
        self.got: list[int] = []

    def send_signal(self, number: int) -> None:
        if self.returncode is None:
            self.got.append(number)

    def kill(self) -> None:
        self.got.append(signal.SIGKILL)
        self.deaf = False

    def poll(self) -> Any:
        return self.returncode

    def wait(self, timeout: float | None = None) -> Any:
        if self.deaf:
            raise subprocess.TimeoutExpired("worker", timeout or 0)
        if self.returncode is None:
            self.returncode = -signal.SIGKILL if signal.SIGKILL in self.got else 0
        return self.returncode


class Play:
    """Children, one after the other, and what happens: a list of edits, or a function to call."""

    def __init__(self, *children: Child) -> None:
        self.children = list(children)
        self.started: list[Child] = []
        self.said: list[str] = []

    def start(self) -> Any:
        self.started.append(self.children[len(self.started)])
        return self.started[-1]

    def run(self, *acts: list[str] | Callable[[], object]) -> int:
        def played(over: Event) -> Iterator[list[str]]:
            for act in ([], *acts):
                if over.is_set():
                    return
                if not callable(act):
                    yield act
                elif act() is not None:
                    yield []

        return Reloader(self.start, played, self.said.append, 30.0).run()


def send(number: int) -> Callable[[], object]:
    return lambda: os.kill(os.getpid(), number)


def test_an_edit_ends_the_worker_as_sigterm_does_and_starts_another() -> None:
    play = Play(Child(), Child())
    assert play.run([], ["/x/shop.py"], []) == 0
    assert [child.got for child in play.started] == [[signal.SIGTERM], []]
    assert "shop.py changed; restarting" in play.said[0]


def test_many_edits_at_once_are_one_restart_and_a_short_line() -> None:
    play = Play(Child(), Child())
    play.run([f"/x/{name}.py" for name in "abcdef"])
    assert len(play.started) == 2
    assert play.said[0].endswith("and 3 more changed; restarting the worker")


def test_a_worker_that_cannot_start_waits_for_the_next_edit_and_says_so_once() -> None:
    play = Play(Child(status=2), Child(status=2), Child())
    play.run([], [], [], ["/x/shop.py"], [], ["/x/shop.py"], [])
    assert len(play.started) == 3
    assert [line for line in play.said if "ended" in line] == [
        "hourwheel: the worker ended with status 2; an edit starts it again"
    ] * 2


def test_a_worker_that_was_killed_ends_with_the_status_that_a_shell_would_show() -> None:
    assert Play(Child(status=-9)).run([]) == 137


def test_a_worker_that_does_not_end_is_killed_so_that_old_code_runs_no_more_jobs() -> None:
    play = Play(Child(deaf=True), Child())
    play.run(["/x/shop.py"])
    assert play.started[0].got == [signal.SIGTERM, signal.SIGKILL]
    assert "it is killed" in play.said[1]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_is_passed_on_and_ends_both(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    monkeypatch.setattr(reloading, "_in_foreground", lambda: False)
    before = signal.getsignal(number)
    play = Play(Child())
    assert play.run(send(number), ["/x/shop.py"]) == 0
    assert (len(play.started), play.started[0].got) == (1, [number])
    assert signal.getsignal(number) is before


def test_ctrl_c_in_a_terminal_is_not_passed_on_because_two_would_mean_now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reloading, "_in_foreground", lambda: True)
    play = Play(Child())
    assert play.run(send(signal.SIGINT)) == 0
    assert play.started[0].got == []


def test_a_signal_that_comes_while_the_worker_restarts_starts_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    first = Child()
    monkeypatch.setattr(
        first, "wait", lambda timeout=None: (os.kill(os.getpid(), signal.SIGTERM), setattr(first, "returncode", 0))
    )
    play = Play(first, Child())
    play.run(["/x/shop.py"], ["/x/shop.py"])
    assert play.started == [first]


def test_a_signal_that_comes_while_the_first_worker_starts_reaches_it() -> None:
    play = Play(Child())
    start = play.start
    play.start = lambda: (os.kill(os.getpid(), signal.SIGTERM), start())[1]  # type: ignore[method-assign]
    play.run([])
    assert play.started[0].got == [signal.SIGTERM]


# ---- the command line ------------------------------------------------------------------------------------


def test_without_watchfiles_it_says_what_to_install(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "watchfiles", None)
    status, _, err = run("worker", "-A", "shop", "--reload")
    assert (status, err.splitlines()[-1]) == (
        2,
        "hourwheel: --reload needs watchfiles: pip install 'hourwheel[reload]'",
    )


def test_under_systemd_it_is_refused(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", "/run/systemd/notify")
    status, _, err = run("worker", "-A", "shop", "--reload")
    assert status == 2
    assert "for development" in err


def test_a_directory_to_watch_must_be_one_and_is_nothing_without_reload(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file.py").touch()
    status, _, err = run("worker", "-A", "shop", "--reload", "--reload-dir", "file.py")
    assert (status, err) == (2, "hourwheel: --reload-dir must be a directory, got 'file.py'\n")
    status, _, err = run("worker", "-A", "shop", "--reload-dir", ".")
    assert (status, err) == (2, "hourwheel: --reload-dir says what --reload watches; add --reload\n")


def test_the_child_is_the_same_command_without_reload(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    commands = []

    def popen(command: list[str], **_: object) -> Child:
        commands.append(command)
        return Child(status=0)

    monkeypatch.setattr(reloading, "edits", lambda directories, over: iter([[]]))
    monkeypatch.setattr(subprocess, "Popen", popen)
    assert run("-A", "shop", "worker", "--reload", "-c", "3")[0] == 0
    (command,) = commands
    assert command[command.index("-c") + 3 :] == ["-A", "shop", "worker", "--reload", "-c", "3", "--no-reload"]


# ---- edits -----------------------------------------------------------------------------------------------


def seen(directory: Path, *acts: Callable[[], object]) -> set[str]:
    over, found = Event(), set()
    left = iter(acts)
    for changed in edits([str(directory)], over):
        found |= {os.path.basename(path) for path in changed}
        act = next(left, None)
        if act is None:
            over.set()
        else:
            act()
    return found


def test_an_edit_deep_below_is_seen_and_what_is_no_python_is_not(tmp_path: Path) -> None:
    deep = tmp_path / "shop" / "jobs"
    deep.mkdir(parents=True)
    (tmp_path / ".venv").mkdir()
    found = seen(
        tmp_path,
        lambda: (deep / "mail.py").write_text("x"),
        lambda: (deep / "tasks.json.journal.1").write_text("x"),
        lambda: (tmp_path / ".venv" / "lib.py").write_text("x"),
        lambda: None,
        lambda: None,
    )
    assert found == {"mail.py"}


def test_edits_end_although_other_files_change_all_the_time(tmp_path: Path) -> None:
    """A store is written to several times a second: if nothing were yielded, nobody would look at the child."""
    count = [0]

    def write() -> None:
        count[0] += 1
        (tmp_path / "tasks.json").write_text(str(count))

    assert seen(tmp_path, *[write] * 5) == set()
    assert count == [5]
