"""Commands that look: they run nothing, change nothing, and need no right to."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hourwheel import Scheduler
from hourwheel.job import Job
from hourwheel.store import JsonStore

from .conftest import Run

pytestmark = pytest.mark.usefixtures("not_folded")

LOOKING = (
    ("stats",),
    ("jobs",),
    ("jobs", "--json"),
    ("ring",),
    ("check",),
    ("schedules",),
    ("agenda",),
    ("simulate",),
    ("why", "soon"),
    ("show", "soon"),
    ("preflight",),
    ("config",),
)
SHOP = """
from hourwheel import Scheduler

app = Scheduler("tasks.json", workers=1)
ran = []

@app.task(name="app.remind")
def remind(user_id, text): ran.append(user_id)

@app.task(name="app.mail")
def mail(*args, **kwargs): ran.append("mail")

{at_import}
"""


def module(at_import: str) -> None:
    Path("shop.py").write_text(SHOP.format(at_import=at_import))


def tree(directory: Path) -> dict[str, tuple[int, int, int, bytes]]:
    """All that can be seen of the files of a directory."""
    found = {}
    for path in sorted(directory.glob("tasks.json*")):
        status = path.stat()
        found[path.name] = (status.st_ino, status.st_mode, status.st_mtime_ns, path.read_bytes())
    return found


@pytest.mark.parametrize("words", LOOKING, ids=" ".join)
@pytest.mark.parametrize("start", ["app.start()", "app.run()", "app.run_due()", "with app: pass"])
def test_a_look_at_the_store_does_not_send_the_mails(words: tuple[str, ...], start: str, run: Run, store: Path) -> None:
    module(start)
    before, threads = tree(store.parent), set(threading.enumerate())
    status, _, err = run(*words, "-A", "shop")
    assert status in (0, 1), err
    assert tree(store.parent) == before
    assert sys.modules["shop"].ran == []
    assert set(threading.enumerate()) <= threads
    assert f"does nothing: hourwheel {words[0]} only looks" in err


@pytest.mark.parametrize("words", LOOKING[:-2], ids=" ".join)
def test_a_look_leaves_every_file_as_it_was(words: tuple[str, ...], run: Run, store: Path) -> None:
    """A torn tail is not mended, an idle life sign is not buried, a lock that is missing is not made."""
    Path("tasks.json.owner.dead-1").touch()
    Path("tasks.json.lock").unlink()
    (journal,) = store.parent.glob("tasks.json.journal.*")
    with journal.open("r+b") as file:
        file.seek(len(journal.read_bytes().rstrip(b"\n")) + 1)
        file.write(b"0badc0de  0000")
    before = tree(store.parent)
    named = (*words, "--store", store) if words[0] in ("why", "show") else (*words, store)
    status, _, err = run(*named)
    assert status == 0, err
    assert tree(store.parent) == before


@pytest.mark.parametrize("words", [("stats",), ("jobs",), ("check",)], ids=" ".join)
def test_a_look_at_an_app_that_has_no_store_yet_makes_none(words: tuple[str, ...], run: Run, tmp_path: Path) -> None:
    module("app.start()")
    status, _, err = run(*words, "-A", "shop")
    assert (status, "there is no store at" in err) == (2, True)
    assert list(tmp_path.glob("tasks.json*")) == []


def test_a_call_at_import_is_not_stored_by_a_look(run: Run, store: Path) -> None:
    module("remind.delay(1, 'x')")
    before = tree(store.parent)
    status, _, err = run("stats", "-A", "shop")
    assert (status, tree(store.parent)) == (2, before)
    assert "was opened for reading" in err
    assert "shop.py, line" in err


def test_a_command_that_makes_one_change_runs_no_jobs(run: Run, store: Path) -> None:
    module("app.start()")
    status, _, err = run("cancel", "soon", "-A", "shop")
    assert (status, sys.modules["shop"].ran) == (0, [])
    assert "does nothing: hourwheel cancel runs no jobs" in err


def test_run_due_runs_its_sweep_and_no_scheduler_beside_it(run: Run, store: Path) -> None:
    module("app.start()")
    status, out, err = run("run-due", "-A", "shop")
    assert status == 0
    assert "job was run" in out or "jobs were run" in out
    assert "does nothing: hourwheel run-due runs the jobs itself" in err


def test_after_a_command_the_program_may_start_its_scheduler(run: Run, store: Path) -> None:
    module("app.start()")
    run("stats", "-A", "shop")
    app: Scheduler = sys.modules["shop"].app
    app.start()
    assert app.running
    app.stop()
    app.close()


# ---- the rights of another user ----------------------------------------------------------------------------


@pytest.fixture
def shown(store: Path) -> Iterator[Path]:
    """The store in a directory that others may search; pytest closes its own to them."""
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("only root can become somebody else")
    if as_stranger("--version").returncode != 0:
        pytest.skip("another user may not run this interpreter")
    with TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        for path in store.parent.glob("tasks.json*"):
            os.chmod(shutil.copy(path, directory), 0o644)
        yield Path(directory, "tasks.json")


def as_stranger(*words: str) -> subprocess.CompletedProcess[str]:
    """Run a command as a user who may read the store's files and write nothing; not even what coverage would."""
    become = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", sys.executable]
    env = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    return subprocess.run(
        [*become, "-m", "hourwheel.cli", *words], capture_output=True, text=True, cwd="/", env=env, check=False
    )


@pytest.mark.parametrize("words", LOOKING[:-2], ids=" ".join)
def test_monitoring_by_another_user_is_let_in(words: tuple[str, ...], shown: Path) -> None:
    named = ["--store", str(shown)] if words[0] in ("why", "show") else [str(shown)]
    before = tree(shown.parent)
    done = as_stranger(*words, *named)
    assert (done.returncode, done.stderr) == (0, "")
    assert tree(shown.parent) == before


def test_who_may_not_read_is_told_what_to_do(shown: Path) -> None:
    (journal,) = shown.parent.glob("tasks.json.journal.*")
    journal.chmod(0o600)
    done = as_stranger("stats", str(shown))
    assert done.returncode == 2
    assert f"{journal} may not be read by this user" in done.stderr
    assert "chmod g+r" in done.stderr


def test_a_look_waits_for_nobody_who_holds_the_lock(run: Run, store: Path) -> None:
    writer = JsonStore(store)
    writer._keeper.newest.lock.acquire()
    assert run("stats", store)[0] == 0
    writer._keeper.newest.lock.release()
    writer.add([Job(id="new", task="app.remind", due_ms=1)], 0)
    writer.close()
