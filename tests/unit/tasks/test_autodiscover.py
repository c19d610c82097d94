"""app.autodiscover_tasks(): which modules it imports, and when."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hourwheel import InvalidValue, Scheduler
from hourwheel.store import MemoryStore
from hourwheel.tasks.registry import SHARED
from hourwheel.testing import FakeClock

TASKS = "from hourwheel import task\n@task\ndef {name}():\n    return 1\n"


@pytest.fixture(autouse=True)
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """found_a and found_b.inner have tasks, found_none has none, found_bad has some that cannot be imported."""
    for package, modules in {
        "found_a": {"tasks": TASKS.format(name="one"), "jobs": TASKS.format(name="two")},
        "found_b": {},
        "found_b/inner": {"tasks": TASKS.format(name="three")},
        "found_none": {"views": ""},
        "found_bad": {"tasks": "import not_installed_anywhere\n"},
    }.items():
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").write_text("")
        for name, text in modules.items():
            (tmp_path / package / f"{name}.py").write_text(text)
    (tmp_path / "found_module.py").write_text("")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    for name in [name for name in sys.modules if name.startswith("found_")]:
        del sys.modules[name]
    for name in [name for name in SHARED.names() if name.startswith("found_")]:
        del SHARED._tasks[name]


@pytest.fixture
def app() -> Iterator[Scheduler]:
    app = Scheduler(MemoryStore(), clock=FakeClock())
    yield app
    app.close()


def found(app: Scheduler) -> list[str]:
    return [name for name in app.registry.names() if name.startswith("found_")]


def test_the_tasks_of_packages_are_known_at_once(app: Scheduler) -> None:
    app.autodiscover_tasks(["found_a", "found_b.inner"])
    assert found(app) == ["found_a.tasks.one", "found_b.inner.tasks.three"]


def test_a_package_without_tasks_is_passed_over(app: Scheduler) -> None:
    app.autodiscover_tasks(("found_none", "found_module", "found_b"))
    assert found(app) == []


def test_the_modules_may_have_another_name_or_be_the_packages(app: Scheduler) -> None:
    app.autodiscover_tasks(["found_a"], related_name="jobs")
    app.autodiscover_tasks(["found_b.inner.tasks"], related_name=None)
    assert found(app) == ["found_a.jobs.two", "found_b.inner.tasks.three"]


def test_the_apps_of_a_django_project_may_be_named_by_their_configuration(app: Scheduler, packages: Path) -> None:
    """INSTALLED_APPS may have "shop.apps.ShopConfig", and Celery's projects pass that list."""
    (packages / "found_a" / "apps.py").write_text("class Config:\n    name = 'found_a'\nready = Config()\n")
    app.autodiscover_tasks(lambda: ["found_a.apps.Config", "found_b.inner"])
    app.discover_tasks()
    assert found(app) == ["found_a.tasks.one", "found_b.inner.tasks.three"]
    for odd in ("found_a.apps.Other", "found_a.apps.ready", "found_a.nowhere.Config"):
        with pytest.raises(InvalidValue, match="AppConfig"):
            app.autodiscover_tasks([odd])


def test_tasks_that_cannot_be_imported_are_no_tasks_that_are_not_there(app: Scheduler) -> None:
    with pytest.raises(ModuleNotFoundError, match="not_installed_anywhere"):
        app.autodiscover_tasks(["found_bad"])


@pytest.mark.parametrize(
    "given", ["found_a", [], ["found_a", "found_c"], ["found_a", "found_module.x"], ["found_a", ""], [7], ["a b"]]
)
def test_a_package_that_is_not_there_is_refused_and_none_is_imported(app: Scheduler, given: Any) -> None:
    if given == []:
        app.autodiscover_tasks(given)
    else:
        with pytest.raises(InvalidValue, match="^packages must be"):
            app.autodiscover_tasks(given)
    assert found(app) == []


@pytest.mark.parametrize("name", ["", "a b", 7, "tasks.py/"])
def test_a_name_of_modules_that_is_none_is_refused(app: Scheduler, name: Any) -> None:
    with pytest.raises(InvalidValue, match="^related_name must be"):
        app.autodiscover_tasks(["found_a"], related_name=name)


def test_a_function_is_asked_when_tasks_are_needed(app: Scheduler) -> None:
    asked: list[int] = []
    app.autodiscover_tasks(lambda: asked.append(1) or ["found_a"])
    assert (asked, found(app)) == ([], [])
    app.run_due()
    assert found(app) == ["found_a.tasks.one"]
    app.run_due()
    assert asked == [1]


def test_a_scheduler_that_starts_knows_its_tasks(app: Scheduler) -> None:
    app.autodiscover_tasks(lambda: ["found_a"])
    with app:
        assert found(app) == ["found_a.tasks.one"]


def test_what_failed_is_tried_again(app: Scheduler, packages: Path) -> None:
    app.autodiscover_tasks(lambda: ["found_bad"])
    with pytest.raises(ModuleNotFoundError):
        app.start()
    assert not app.running
    (packages / "found_bad" / "tasks.py").write_text(TASKS.format(name="four") + "# mended\n")
    app.run_due()
    assert found(app) == ["found_bad.tasks.four"]


def test_without_packages_they_are_djangos_apps(app: Scheduler, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("django")
    from django.apps.registry import Apps

    apps = Apps(["found_a", "found_none"])
    monkeypatch.setattr("django.apps.apps", apps)
    app.autodiscover_tasks()
    assert found(app) == []
    app.run_due()
    assert found(app) == ["found_a.tasks.one"]


def test_without_packages_and_without_django_it_is_said(app: Scheduler, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "django.apps", None)
    app.autodiscover_tasks()
    with pytest.raises(InvalidValue, match="packages must be given, because Django is not installed"):
        app.run_due()
