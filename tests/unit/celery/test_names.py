"""Every name that Celery's own objects have: it is there, or says why not and what to do instead."""

from __future__ import annotations

import importlib
from typing import Any

import hourwheel.celery as ours
import pytest
from hourwheel.celery import canvas, result
from hourwheel.celery.running import control
from hourwheel.celery.running.request import Context
from hourwheel.store import MemoryStore

celery = pytest.importorskip("celery")

MODULES = ["", "canvas", "exceptions", "result", "schedules", "signals", "states"]
NOT_SAID = {
    "schedules": {"ParseException", "crontab_parser", "BaseSchedule"},
    "result": {"ResultBase"},
    "canvas": {"_chain"},
    "states": {"PRECEDENCE", "state"},
}
"""What is in ``__all__`` and in no chapter of Celery's documentation that is for users."""
PACKAGE = set(
    "Celery Signature Task bugreport chain chord chunks current_app current_task group maybe_signature shared_task "
    "signature subtask uuid xmap xstarmap".split()
)
"""What its reference lists of the package itself."""


def objects() -> dict[str, tuple[Any, Any]]:
    theirs = celery.Celery("theirs", broker="memory://", set_as_current=False)
    mine = ours.Celery("mine", store=MemoryStore(), set_as_current=False)

    def add(x: int, y: int = 0) -> int:
        return x + y

    task, same = theirs.task(add), mine.task(add)
    return {
        "app": (theirs, mine),
        "task": (task, same),
        "request": (importlib.import_module("celery.app.task").Context(), Context(None, same)),
        "result": (celery.result.AsyncResult("x", app=theirs), mine.AsyncResult("x")),
        "group result": (celery.result.GroupResult("x", [], app=theirs), result.GroupResult((), mine)),
        "eager result": (celery.result.EagerResult("x", 1, "SUCCESS"), result.EagerResult("x", 1, "SUCCESS")),
        "signature": (task.s(1), same.s(1)),
        "chain": (celery.chain(task.s(1), task.s()), canvas.chain(same.s(1), same.s())),
        "group": (celery.group(task.s(1)), canvas.group(same.s(1))),
        "chord": (celery.chord([task.s(1)], task.s()), canvas.chord([same.s(1)], same.s())),
        "control": (theirs.control, mine.control),
        "inspect": (theirs.control.inspect(), control.Inspect(mine)),
    }


OBJECTS = objects()
NAMES = [
    (kind, name)
    for kind, (theirs, _) in OBJECTS.items()
    for name in dir(theirs)
    if not name.startswith("_") and not (kind == "app" and name in ("IS_WINDOWS", "IS_macOS", "SYSTEM", "Pickler"))
]


@pytest.mark.parametrize(("kind", "name"), NAMES)
def test_a_name_of_celerys_is_there_or_says_what_to_do(kind: str, name: str) -> None:
    mine = OBJECTS[kind][1]
    try:
        getattr(mine, name)
    except AttributeError as error:
        said = str(error)
        assert f".{name} is not there: " in said
        assert len(said.partition(": ")[2]) > 20


@pytest.mark.parametrize("module", MODULES)
def test_what_a_program_imports_can_be_imported(module: str) -> None:
    theirs = importlib.import_module(f"celery.{module}".rstrip("."))
    mine = importlib.import_module(f"hourwheel.celery.{module}".rstrip("."))
    names = (set(theirs.__all__) if module else PACKAGE) - NOT_SAID.get(module, set())
    assert {name for name in names if not hasattr(mine, name)} == set()


def test_every_setting_of_celerys_can_be_read() -> None:
    defaults = importlib.import_module("celery.app.defaults")
    conf = ours.Celery(store=MemoryStore(), set_as_current=False).conf
    for name, _ in defaults.flatten(defaults.NAMESPACES):
        conf[name]
