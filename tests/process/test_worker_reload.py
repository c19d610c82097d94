"""``hourwheel worker --reload``: real edits, a terminal, and a parent that is killed."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from .test_worker_command import LONG_S, TASKS, call, until

READY = re.compile(r"Ready: \d workers .* as \S+-(\d+)-\w+$", re.MULTILINE)
COMMAND = [sys.executable, "-m", "hourwheel.cli", "worker", "-A", "shop", "--reload", "-c", "2"]


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    (tmp_path / "shop.py").write_text(TASKS)
    return tmp_path


def log(shop: Path) -> str:
    return (shop / "err.txt").read_text()


@pytest.fixture
def reloader(shop: Path) -> Iterator[subprocess.Popen[bytes]]:
    with open(shop / "err.txt", "w") as err:
        process = subprocess.Popen(COMMAND, cwd=shop, stdout=err, stderr=err, stdin=subprocess.DEVNULL)
    until(lambda: READY.search(log(shop)) or process.poll() is not None, "ready")
    yield process
    process.kill()
    process.wait(LONG_S)


def edit(shop: Path, old: str, new: str) -> None:
    text = (shop / "shop.py").read_text()
    assert old in text
    (shop / "shop.py").write_text(text.replace(old, new))


def test_an_edit_is_used_by_the_next_job_and_a_syntax_error_is_survived(
    shop: Path, reloader: subprocess.Popen[bytes]
) -> None:
    id = call(shop, "print(hold.delay().id)")
    until((shop / "held").exists, "the job runs")
    edit(shop, "{text}", "edited {text}")
    until(lambda: "waiting up to 30 s for running jobs" in log(shop), "it was told to end")
    (shop / "let-go").touch()
    until(lambda: len(READY.findall(log(shop))) == 2, "the second worker is ready")
    assert call(shop, f"job, = app.store.get(['{id}']); print(job.state, job.attempt)") == "succeeded 1"
    edit(shop, "def note(text):", "def note(text:")
    until(lambda: "an edit starts it again" in log(shop), "the syntax error was noticed")
    assert "SyntaxError" in log(shop)
    edit(shop, "def note(text:", "def note(text, more=1):")
    until(lambda: len(READY.findall(log(shop))) == 3, "the third worker is ready")
    call(shop, "note.delay('hello')")
    until(lambda: (shop / "notes.txt").exists() and (shop / "notes.txt").read_text(), "the job ran")
    assert (shop / "notes.txt").read_text() == f"{READY.findall(log(shop))[-1]} edited hello\n"
    reloader.send_signal(signal.SIGTERM)
    assert reloader.wait(LONG_S) == 0


def test_no_worker_is_left_when_the_reloader_is_killed(shop: Path, reloader: subprocess.Popen[bytes]) -> None:
    """It would go on running jobs, with old code, beside the one that the user starts next."""
    pid = int(READY.findall(log(shop))[0])
    reloader.kill()
    until(lambda: not Path(f"/proc/{pid}").exists() or "Z (zombie)" in status_of(pid), "the worker has ended")


def status_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return "Z (zombie)"


def test_ctrl_c_waits_for_the_running_job(shop: Path) -> None:
    """The terminal sends it to both processes; passed on as well, it would have been the second, which means now."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(shop)
        os.execv(COMMAND[0], COMMAND)
    seen = [b""]

    def shows(text: str) -> bool:
        try:
            seen[0] += os.read(terminal, 65_536)
        except OSError:  # both have ended
            assert text in seen[0].decode(), seen[0].decode()
        return text in seen[0].decode()

    until(lambda: shows("Ready: 2 workers"), "ready")
    call(shop, "hold.delay()")
    until((shop / "held").exists, "the job runs")
    os.write(terminal, b"\x03")
    until(lambda: shows("waiting up to 30 s for running jobs"), "it heard Ctrl-C")
    (shop / "let-go").touch()
    until(lambda: shows("succeeded in"), "the job was let finish")
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    os.close(terminal)
