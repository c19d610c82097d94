"""The hollow twin: it takes what the function takes, and refuses the rest in Python's own words."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import pytest
from hourwheel.tasks.signature import takes, twin


def plain(a, b): ...
def defaults(a, b=1, *, c, d=2): ...
def positional_only(a, b=1, /, c=2, *rest, d, **more): ...
def nothing(): ...
def anything(*args, **kwargs): ...
def one_name(*, name): ...
async def coroutine(a): ...


def closure() -> Callable[..., Any]:
    kept = 1

    def inner(a, b=kept):
        return kept

    return inner


CALLS: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
    ((), {}),
    ((1,), {}),
    ((1, 2), {}),
    ((1, 2, 3), {}),
    ((1, 2, 3, 4), {}),
    ((1,), {"b": 2}),
    ((1,), {"a": 2}),
    ((), {"a": 1, "b": 2}),
    ((1, 2), {"c": 3}),
    ((1,), {"c": 3, "d": 4}),
    ((1,), {"d": 4}),
    ((1,), {"d": 4, "self": 1, "args": 2}),
    ((), {"name": "x"}),
    ((), {"wrong": 1}),
]


@pytest.mark.parametrize("fn", [plain, defaults, positional_only, nothing, anything, one_name, closure(), lambda a: a])
@pytest.mark.parametrize(("args", "kwargs"), CALLS)
def test_the_twin_accepts_and_refuses_as_the_function_does_word_for_word(
    fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    try:
        fn(*args, **kwargs)
    except TypeError as error:
        with pytest.raises(TypeError) as caught:
            twin(fn)(*args, **kwargs)
        assert str(caught.value) == str(error)
    else:
        assert twin(fn)(*args, **kwargs) is None


def test_the_twin_of_a_coroutine_function_is_no_coroutine_function() -> None:
    assert twin(coroutine)(1) is None


def test_the_twin_does_not_run_the_function() -> None:
    ran = []
    twin(lambda a: ran.append(a))(1)
    assert ran == []


def test_the_parameters_of_a_wrapper_count_not_those_of_what_it_wraps() -> None:
    @functools.wraps(plain)
    def with_session(a):
        return plain("session", a)

    assert twin(with_session)(1) is None
    with pytest.raises(TypeError, match=r"plain\(\) takes 1 positional argument but 2 were given"):
        twin(with_session)(1, 2)


def test_callable_objects_partials_and_bound_methods_have_twins() -> None:
    class Thing:
        def __call__(self, a): ...
        def method(self, a): ...

    for fn in (Thing(), Thing().method, functools.partial(plain, 1)):
        assert twin(fn)(b=1) is None if isinstance(fn, functools.partial) else twin(fn)(1) is None
        with pytest.raises(TypeError):
            twin(fn)(1, 2, 3)


def test_what_does_not_tell_its_parameters_takes_everything() -> None:
    assert twin(max)(1, 2, x=3) is None


def test_takes_says_whether_a_name_is_a_parameter_that_can_be_named() -> None:
    assert takes(plain, "a")
    assert takes(defaults, "c")
    assert not takes(plain, "countdown")
    assert not takes(anything, "countdown")
    assert not takes(positional_only, "a")
    assert not takes(anything, "kwargs")


def test_takes_looks_through_wrappers() -> None:
    @functools.wraps(plain)
    def wrapper(*args, **kwargs): ...

    assert takes(wrapper, "a")
    assert not takes(wrapper, "countdown")
