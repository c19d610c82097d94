"""What the package gives out."""

from __future__ import annotations

import subprocess
import sys

import hourwheel
import pytest
from hourwheel import errors


def test_all_is_sorted_and_everything_in_it_exists() -> None:
    assert hourwheel.__all__ == sorted(hourwheel.__all__)
    assert all(hasattr(hourwheel, name) for name in hourwheel.__all__)


def test_every_error_is_given_out_and_derives_from_the_one_root() -> None:
    kinds = {
        name: kind
        for name, kind in vars(errors).items()
        if isinstance(kind, type) and issubclass(kind, errors.HourwheelError)
    }
    assert set(kinds) <= set(hourwheel.__all__)
    assert all(issubclass(kind, hourwheel.HourwheelError) for kind in kinds.values())


def test_task_is_the_decorator_and_not_the_module_of_that_name() -> None:
    import hourwheel.tasks.task  # noqa: F401 - an import of the module must not put it in the place of the decorator

    assert isinstance(hourwheel.task, hourwheel.TaskDecorator)


def loaded_by(statement: str) -> set[str]:
    """The modules that there are in a new interpreter after a statement."""
    told = subprocess.run(
        [sys.executable, "-c", f"import sys; {statement}; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(told.stdout.split())


def test_who_imports_the_package_waits_for_nothing_that_he_has_not_asked_for() -> None:
    assert {name for name in loaded_by("import hourwheel") if name.startswith("hourwheel.")} == set()
    assert "asyncio" not in loaded_by("import hourwheel.store")


def test_a_store_loads_no_scheduler() -> None:
    rooms = {name.split(".")[1] for name in loaded_by("import hourwheel.store") if name.startswith("hourwheel.")}
    assert rooms & {"tasks", "results", "schedules", "worker", "settings", "scheduler", "cli", "testing"} == set()


def test_a_name_that_there_is_not_is_no_attribute() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'wheels'"):
        _ = hourwheel.wheels  # type: ignore[attr-defined]
    assert set(hourwheel.__all__) <= set(dir(hourwheel))


def test_the_name_of_an_error_is_the_one_by_which_it_is_imported() -> None:
    """It stands in stores and in tracebacks; the file in which it is defined may move."""
    for name in hourwheel.__all__:
        kind = getattr(hourwheel, name)
        if isinstance(kind, type) and issubclass(kind, BaseException):
            assert (kind.__module__, kind.__qualname__) == ("hourwheel", name)
