"""The registry: functions are found by name here, and by nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from hourwheel.errors import HourwheelError, InvalidValue, NotRegistered
from hourwheel.tasks.registry import Registry
from hourwheel.tasks.task import Task


def remind() -> None: ...
def other() -> None: ...


def made(fn: Any = remind, name: str = "app.remind") -> Task[..., Any]:
    return Task(fn, None, name=name)


def test_a_task_is_found_by_its_name() -> None:
    registry = Registry()
    task = made()
    registry.add(task)
    assert registry.get("app.remind") is task
    assert "app.remind" in registry
    assert "app.other" not in registry
    assert registry.names() == ["app.remind"]


def test_an_unknown_name_is_refused_and_the_message_lists_what_there_is() -> None:
    registry = Registry()
    registry.add(made())
    with pytest.raises(NotRegistered, match=r"no task named 'os\.system' is registered here; registered: app\.remind"):
        registry.get("os.system")
    assert issubclass(NotRegistered, (HourwheelError, LookupError))


def test_a_stored_name_is_never_imported() -> None:
    with pytest.raises(NotRegistered):
        Registry().get("antigravity.fly_away")


def test_another_function_may_not_take_a_name_as_celery_lets_it_in_silence() -> None:
    registry = Registry()
    registry.add(made())
    with pytest.raises(InvalidValue, match=r"name must be unique: remind\(\) of .*test_registry has it.*'app.remind'"):
        registry.add(made(other))
    assert registry.get("app.remind").fn is remind


def test_the_same_function_again_takes_the_place_as_after_a_reload() -> None:
    registry = Registry()
    registry.add(made())
    again = made()
    registry.add(again)
    assert registry.get("app.remind") is again


def test_a_renamed_task_is_found_under_its_old_names() -> None:
    registry = Registry()
    task = made()
    registry.add(task, ["old.remind"])
    registry.alias("older.remind", "old.remind")
    assert registry.get("old.remind") is task
    assert registry.get("older.remind") is task
    assert "older.remind" in registry
    assert registry.names() == ["app.remind"]


def test_an_alias_may_not_hide_another_task_nor_a_task_an_alias() -> None:
    registry = Registry()
    registry.add(made(), ["old.remind"])
    registry.add(made(other, "app.other"))
    with pytest.raises(InvalidValue, match="must be unique"):
        registry.alias("app.other", "app.remind")
    with pytest.raises(InvalidValue, match="must be unique"):
        registry.add(made(other, "old.remind"))
    with pytest.raises(InvalidValue, match="must be unique"):
        registry.add(made(other, "app.another"), ["app.remind"])
    assert "app.another" not in registry


def test_an_alias_of_nothing_is_refused() -> None:
    with pytest.raises(NotRegistered):
        Registry().alias("old", "new")


def test_what_a_registry_does_not_know_its_parent_may() -> None:
    parent = Registry()
    child = Registry(parent)
    shared = made()
    parent.add(shared, ["old.remind"])
    assert child.get("app.remind") is shared
    assert child.get("old.remind") is shared
    own = made(other)
    child.add(own)
    assert child.get("app.remind") is own
    assert parent.get("app.remind") is shared
    assert child.names() == ["app.remind"]


def test_a_registrys_own_task_is_neither_its_parents_nor_an_alias() -> None:
    parent = Registry()
    app = Registry(parent)
    inherited, task = Task(lambda: None, None, name="inherited"), Task(lambda: None, None, name="now")
    parent.add(inherited)
    app.add(task, ["before"])
    assert [app.own(name) for name in ("now", "before", "inherited")] == [task, None, None]
    assert parent.own("inherited") is inherited
