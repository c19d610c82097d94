"""A Django project's tests, by Django's runner, unittest and pytest-django, beside its production store."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.blocks import blocks_of

PAGE = Path(__file__).parents[2] / "docs" / "web-frameworks.md"

MANAGE = """
import os, sys
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
from django.core.management import execute_from_command_line
execute_from_command_line(sys.argv)
"""

TESTS = """
import os
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
import shop.hourwheel
from django.test import Client, TestCase

class Reminders(TestCase):
    def test_a_call_is_answered(self):
        with self.captureOnCommitCallbacks(execute=True):
            assert Client().post("/reminders/7").status_code == 202
        store = shop.hourwheel.app.store
        assert store.stats(0).scheduled >= 1
"""

WAYS = {
    "manage.py test": ["manage.py", "test"],
    "unittest": ["-m", "unittest", "tests.test_shop"],
    "pytest": ["-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", "tests"],
}


def project(directory: Path, *, told: bool) -> dict[str, str]:
    """The project of the page, a job in its store, tests; and, if told, the lines that the page gives."""
    for block in blocks_of(PAGE):
        if block.file is not None and block.file.startswith("shop/"):
            path = directory / block.file
            path.parent.mkdir(exist_ok=True)
            path.write_text(block.text)
    (directory / "shop" / "__init__.py").touch()
    tests = directory / "tests"
    tests.mkdir()
    (tests / "__init__.py").touch()
    (tests / "test_shop.py").write_text(TESTS)
    (directory / "manage.py").write_text(MANAGE)
    (directory / "pytest.ini").write_text("[pytest]\nDJANGO_SETTINGS_MODULE = shop.settings\npythonpath = .\n")
    if told:
        lines = [block.text for block in blocks_of(PAGE) if 'store = "memory:"' in block.text.lower()]
        (settings,) = (text for text in lines if "HOURWHEEL_STORE" in text)
        (conftest,) = (text for text in lines if "app.conf" in text)
        path = directory / "shop" / "settings.py"
        path.write_text(f"import sys\n{path.read_text()}\n{settings}")
        (directory / "conftest.py").write_text(conftest)
        (tests / "__init__.py").write_text(conftest)
    names = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "HOURWHEEL", "DJANGO"))
    }
    environ = names | {"PYTHONPATH": os.pathsep.join([str(directory), *(entry for entry in sys.path if entry)])}
    call = "import shop.hourwheel; from shop.tasks import remind; remind.delay(1)"
    subprocess.run([sys.executable, "-c", call], cwd=directory, env=environ, check=True)
    return environ


def stored(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (directory / "shop").glob("tasks.json*")}


@pytest.mark.parametrize("told", [True, False], ids=["with the two lines", "without"])
@pytest.mark.parametrize("way", WAYS)
def test_a_suite_does_not_mail_real_customers(tmp_path: Path, way: str, told: bool) -> None:
    pytest.importorskip("django", reason="the test extra is not installed")
    if way == "pytest" and importlib.util.find_spec("pytest_django") is None:
        pytest.skip("pytest-django is not installed")
    environ = project(tmp_path, told=told)
    before = stored(tmp_path)
    done = subprocess.run(
        [sys.executable, *WAYS[way]], cwd=tmp_path, env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout or "Ran 1 test" in done.stderr
    assert (stored(tmp_path) == before) is told
