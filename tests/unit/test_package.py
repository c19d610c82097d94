"""What the package gives out."""

from __future__ import annotations

import hourwheel
from hourwheel import errors


def test_all_is_sorted_and_everything_in_it_exists() -> None:
    assert hourwheel.__all__ == sorted(hourwheel.__all__)
    assert all(hasattr(hourwheel, name) for name in hourwheel.__all__)


def test_every_error_is_given_out_and_derives_from_the_one_root() -> None:
    kinds = {
        name: kind
        for name, kind in vars(errors).items()
        if isinstance(kind, type) and kind.__module__ == errors.__name__
    }
    assert set(kinds) <= set(hourwheel.__all__)
    assert all(issubclass(kind, hourwheel.HourwheelError) for kind in kinds.values())


def test_task_is_the_decorator_and_not_the_module_of_that_name() -> None:
    import hourwheel.task  # noqa: F401 - an import of the module must not put it in the place of the decorator

    assert isinstance(hourwheel.task, hourwheel.TaskDecorator)
