"""The pytest plugin in a project of a user's: found by pytest, the fixture is there, and nothing is left over."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

from tests.docs.blocks import blocks_of

ROOT = Path(__file__).parents[2]

SHOP = """
from hourwheel import Scheduler, task

app = Scheduler("/nonexistent/tasks.json")

@app.task(autoretry_for=[OSError], default_retry_delay=60, max_retries=2)
def remind(user_id):
    if user_id == 13:
        raise OSError("unlucky")
    return user_id

@task
def shared():
    return "shared"
"""

OTHER = """
from hourwheel import Scheduler
app = Scheduler("/nonexistent/other.json", timezone="Europe/Berlin")
"""

TESTS = """
import threading
import pytest
from shop import app, remind, shared

def test_time_is_moved(hourwheel):
    assert hourwheel.app is app
    assert str(hourwheel.now) == "2026-01-01 00:00:00+00:00"
    remind.delay(7, countdown=900)
    assert hourwheel.advance(minutes=14) == []
    assert [ran.result for ran in hourwheel.advance(minutes=1)] == [7]

@pytest.mark.parametrize("again", range(3))
def test_nothing_is_left_of_the_test_before(hourwheel, again):
    assert (hourwheel.ran, hourwheel.pending, len(app.store.scan())) == ([], [], 0)
    app.start()
    remind.delay(13)
    shared.delay(countdown=60)
    hourwheel.advance(hours=1)
    assert [ran.outcome for ran in hourwheel.ran if "remind" in ran.task] == ["retried", "retried", "failed"]
    assert threading.active_count() == 1

@pytest.mark.hourwheel("other:app", start="2026-03-29 01:59")
def test_the_marker_says_which_and_when(hourwheel):
    hourwheel.advance(minutes=1)
    assert str(hourwheel.now) == "2026-03-29 03:00:00+02:00"

@pytest.mark.hourwheel(app, eager=True, tz="Asia/Shanghai")
def test_eager(hourwheel):
    assert remind.delay(1).get(timeout=0) == 1
    assert hourwheel.now.utcoffset().seconds == 8 * 3600

def test_without_the_fixture_the_app_is_itself():
    assert app.backing.store is None and app.life.ticker is None
"""


def project(directory: Path, ini: str, tests: str) -> None:
    (directory / "pytest.ini").write_text(f"[pytest]\nfilterwarnings = error\naddopts = --strict-markers\n{ini}\n")
    (directory / "shop.py").write_text(SHOP)
    (directory / "other.py").write_text(OTHER)
    (directory / "test_shop.py").write_text(tests)


def run(directory: Path, *options: str, site: Path | None = None) -> str:
    path = [str(site)] if site else []
    path += [entry for entry in sys.path if entry and entry != str(ROOT)]
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "HOURWHEEL"))}
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:randomly", *options],
        cwd=directory, env=env | {"PYTHONPATH": os.pathsep.join(path)}, capture_output=True, text=True, timeout=100,
    )  # fmt: skip
    return ended.stdout + ended.stderr


BY_MODULE = ["-p", "no:hourwheel", "-p", "hourwheel.testing.plugin"]
"""Whatever is installed here; that it is found by its metadata is a test of its own."""


def test_pytest_finds_it_by_the_metadata_and_a_users_tests_travel(tmp_path: Path) -> None:
    """The metadata are as pip would write them from this pyproject.toml."""
    told = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]["pytest11"]
    info = tmp_path / "site" / "hourwheel_told-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: hourwheel-told\nVersion: 1.0\n")
    lines = [f"{name} = {module}" for name, module in told.items()]
    (info / "entry_points.txt").write_text("\n".join(["[pytest11]", *lines, ""]))
    project(tmp_path, "hourwheel_app = shop:app", TESTS)
    said = run(tmp_path, site=tmp_path / "site")
    assert "7 passed" in said, said


def test_the_tests_that_the_page_shows(tmp_path: Path) -> None:
    page = ROOT / "docs" / "testing.md"
    files = {block.file: block.text for block in blocks_of(page) if block.file}
    assert set(files) == {"shop.py", "test_shop.py"}
    project(tmp_path, "hourwheel_app = shop:app", "")
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert "2 passed" in run(tmp_path, *BY_MODULE)


WRONG = """
import pytest
from hourwheel import Scheduler

def test_no_setting(hourwheel): ...

@pytest.mark.hourwheel("nobody:app")
def test_no_module(hourwheel): ...

@pytest.mark.hourwheel("shop:remind")
def test_no_scheduler(hourwheel): ...

@pytest.mark.hourwheel("shop:app", "other:app")
def test_two_schedulers(hourwheel): ...

@pytest.mark.hourwheel("shop:app")
def test_threads_that_are_left_over_fail_the_test_that_left_them(hourwheel):
    assert str(hourwheel.now) == "2030-05-01 08:00:00+00:00"
    Scheduler("memory:", workers=1).start()
"""


def test_what_is_wrong_is_said(tmp_path: Path) -> None:
    project(tmp_path, "hourwheel_start = 2030-05-01 08:00", WRONG)
    said = run(tmp_path, *BY_MODULE)
    assert "1 passed, 5 errors" in said, said
    for words in (
        'hourwheel_app = "package.module:app" in the ini file',
        "there is no module 'nobody'",
        "must be a Scheduler, got Task",
        "the marker hourwheel must have one scheduler, got ('shop:app', 'other:app')",
        "the test has left threads of Hourwheel running: ['hourwheel-",
    ):
        assert words in said


STARTED = """
from hourwheel import Scheduler

app = Scheduler("tasks.json", workers=1)

@app.task
def remind(user_id):
    with open("ran", "a") as file:
        file.write(str(user_id))

app.start()
"""


def test_collecting_tests_does_not_send_the_mails(tmp_path: Path) -> None:
    """The module of the app starts it when it is imported; jobs are due in its store."""
    project(tmp_path, "hourwheel_app = shop:app", "def test_nothing(hourwheel): import shop")
    (tmp_path / "shop.py").write_text(STARTED.replace("app.start()", "remind.delay(1)"))
    environ = os.environ | {"PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}
    subprocess.run([sys.executable, "-c", "import shop"], cwd=tmp_path, env=environ, check=True)
    (tmp_path / "shop.py").write_text(STARTED)
    (tmp_path / "conftest.py").write_text("import shop")
    (tmp_path / "test_other.py").write_text("from shop import app\ndef test_other(): assert not app.running")
    (tmp_path / "test_start.py").write_text(
        "from shop import app, remind\n"
        "def test_a_test_may_start_it(tmp_path):\n"
        "    app.conf.store = tmp_path / 'mine.json'\n"
        "    with app:\n"
        "        remind.delay(7).get(timeout=20)\n"
        "    app.close()\n"
    )
    said = run(tmp_path, *BY_MODULE)
    assert "3 passed" in said, said
    assert "start() of Scheduler('tasks.json', workers=1, stopped) does nothing: pytest is only importing" in said
    assert (tmp_path / "ran").read_text() == "7"
