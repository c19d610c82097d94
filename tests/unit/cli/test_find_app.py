"""``-A``: the Scheduler that is meant, or why there is none."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hourwheel.cli.find_app import find_app
from hourwheel.cli.outcome import CommandError

MAKE = "from hourwheel import Scheduler\n"


@pytest.fixture
def write(tmp_path: Path):  # type: ignore[no-untyped-def]
    def write(name: str, text: str) -> None:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    return write


def test_app_is_taken_before_scheduler_and_others(write) -> None:  # type: ignore[no-untyped-def]
    write("m1.py", MAKE + "other = Scheduler('o.json')\nscheduler = Scheduler('s.json')\napp = Scheduler('a.json')\n")
    assert "a.json" in repr(find_app("m1"))


def test_scheduler_is_taken_if_there_is_no_app(write) -> None:  # type: ignore[no-untyped-def]
    write("m2.py", MAKE + "app = 'a web app'\nother = Scheduler('o.json')\nscheduler = Scheduler('s.json')\n")
    assert "s.json" in repr(find_app("m2"))


def test_the_only_scheduler_is_taken_whatever_its_name(write) -> None:  # type: ignore[no-untyped-def]
    write("m3.py", MAKE + "wheel = Scheduler('w.json')\nalso = wheel\n")
    assert "w.json" in repr(find_app("m3"))


CELERY = "from hourwheel.celery import Celery\napp = Celery('proj', store='{}', set_as_current=False)\n"


@pytest.mark.parametrize("name", ["proj", "proj.celery", "proj.celery:app", "proj.celery.app", "proj/celery.py"])
@pytest.mark.parametrize("init", ["", "from .celery import app as celery_app\n__all__ = ('celery_app',)\n"])
def test_the_app_of_a_project_for_celery_is_found(write, name: str, init: str) -> None:  # type: ignore[no-untyped-def]
    write("proj/__init__.py", init)
    write("proj/celery.py", CELERY.format("c.json"))
    assert "c.json" in repr(find_app(name))


@pytest.mark.parametrize("name", ["proj", "proj.celery", "proj:celery"])
@pytest.mark.parametrize("init", [True, False])
def test_an_app_may_be_called_celery_as_celery_finds_it(write, name: str, init: bool) -> None:  # type: ignore[no-untyped-def]
    """In Flask programs "app" is the web application."""
    text = CELERY.format("f.json").replace("app =", "celery =") + "app = object()\nother = Celery(store='o.json')\n"
    write("proj/__init__.py" if init else "proj.py", text)
    assert "f.json" in repr(find_app(name))


def test_of_several_in_a_package_the_one_in_its_module_celery_is_meant(write) -> None:  # type: ignore[no-untyped-def]
    write("proj/__init__.py", MAKE + "one = Scheduler('1.json')\ntwo = Scheduler('2.json')\n")
    write("proj/celery.py", CELERY.format("c.json"))
    assert "c.json" in repr(find_app("proj"))


@pytest.mark.parametrize("name", ["proj", "proj.celery", "proj.celery:app"])
def test_an_app_that_is_still_celerys_is_told_from_none(write, name: str) -> None:  # type: ignore[no-untyped-def]
    pytest.importorskip("celery")
    write("proj/__init__.py", "from .celery import app as celery_app\n")
    write("proj/celery.py", "from celery import Celery\napp = Celery('proj', set_as_current=False)\n")
    with pytest.raises(CommandError, match=r"its app is Celery's own: import Celery from hourwheel.celery instead"):
        find_app(name)


@pytest.mark.parametrize("name", ["pkg.main:queue", "pkg.main.queue", "pkg/main.py:queue", "./pkg/main.py:queue"])
def test_the_attribute_may_be_named(write, name: str) -> None:  # type: ignore[no-untyped-def]
    write("pkg/__init__.py", "")
    write("pkg/main.py", MAKE + "app = Scheduler('a.json')\nqueue = Scheduler('q.json')\n")
    assert "q.json" in repr(find_app(name))


def test_a_file_name_is_understood(write) -> None:  # type: ignore[no-untyped-def]
    write("m4.py", MAKE + "app = Scheduler('a.json')\n")
    assert "a.json" in repr(find_app("m4.py"))


def test_an_attribute_may_be_deeper(write) -> None:  # type: ignore[no-untyped-def]
    write("m5.py", MAKE + "class state:\n    app = Scheduler('deep.json')\n")
    assert "deep.json" in repr(find_app("m5:state.app"))


def test_a_module_of_the_current_directory_hides_an_installed_one(write) -> None:  # type: ignore[no-untyped-def]
    write("this.py", MAKE + "app = Scheduler('mine.json')\n")
    assert "mine.json" in repr(find_app("this"))


@pytest.mark.parametrize(
    ("name", "files", "message"),
    [
        ("nothere", {}, r"there is no module 'nothere' in /.* or on Python's path$"),
        ("shop_task", {"shop_tasks.py": ""}, r"there is no module 'shop_task' .*; did you mean 'shop_tasks'\?$"),
        ("no.such.module", {}, r"there is no module 'no.such.module'"),
        ("pkg2.nothere", {"pkg2/__init__.py": ""}, r"there is no module 'pkg2.nothere'"),
        ("pkg2:app", {"pkg2/__init__.py": ""}, r"'pkg2' \(.*__init__.py\) has no 'app', and no Scheduler either"),
        (
            "m6",
            {"m6.py": "x = 1\n"},
            r"there is no Scheduler in 'm6' \(.*m6.py\); define one, such as: app = Scheduler",
        ),
        ("m6:x", {"m6.py": "x = 1\n"}, r"m6:x must be a Scheduler, got int"),
        ("m6:y", {"m6.py": MAKE + "z = Scheduler('z')\n"}, r"has no 'y'; its Schedulers: z"),
        (
            "m7",
            {"m7.py": MAKE + "a = Scheduler('a')\nb = Scheduler('b')\n"},
            r"several Schedulers in 'm7'; choose one: -A m7:a or -A m7:b$",
        ),
        (
            "m8",
            {"m8.py": "import nowhere_at_all\n"},
            r"'m8' cannot be imported: ModuleNotFoundError: .*m8.py, line 1\)$",
        ),
        ("m8", {"m8.py": "\n1 / 0\n"}, r"'m8' cannot be imported: ZeroDivisionError: .*m8.py, line 2\)$"),
        ("m8", {"m8.py": "x = = 1\n"}, r"'m8' cannot be imported: SyntaxError: invalid syntax \(.*m8.py, line 1\)$"),
        ("m8", {"m8.py": "import sys\nsys.exit(3)\n"}, r"it exits when it is imported.*m8.py, line 2\)$"),
        ("", {}, r"-A must be module or module:attribute, got ''"),
        ("a b", {}, r"-A must be module or module:attribute, got 'a b'"),
        ("..x", {}, r"-A must be module or module:attribute"),
        (":app", {}, r"-A must be module or module:attribute"),
    ],
)
def test_what_is_wrong_is_said(write, name: str, files: dict[str, str], message: str) -> None:  # type: ignore[no-untyped-def]
    for path, text in files.items():
        write(path, text)
    with pytest.raises(CommandError) as caught:
        find_app(name)
    assert re.search(message, str(caught.value)), str(caught.value)


def test_an_error_deep_in_an_import_names_the_file_it_came_from(write) -> None:  # type: ignore[no-untyped-def]
    write("outer.py", "import inner_of_it\n")
    write("inner_of_it.py", "\n\nraise RuntimeError('no database')\n")
    with pytest.raises(CommandError, match=r"RuntimeError: no database \(.*inner_of_it.py, line 3\)"):
        find_app("outer")
