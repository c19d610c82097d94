"""What jobs do that nobody with good intentions would: return it, raise it, say it of their progress, or be given it."""

from __future__ import annotations

import asyncio
import ctypes
import os
import sys
from collections import OrderedDict, namedtuple
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum, IntEnum
from typing import Any, Final

from hourwheel import Retry, Snooze, current_job

Pair = namedtuple("Pair", "a b")


class Level(IntEnum):
    """A number with a name."""

    HIGH = 3


class Color(str, Enum):
    """A text with a name."""

    RED = "red"


class Loud(list):  # type: ignore[type-arg]
    """A list that ends whoever walks over it."""

    def __iter__(self) -> Iterator[Any]:
        raise SystemExit("asked")


class Sub(str):  # noqa: SLOT000
    """Text that has no length."""

    def __len__(self) -> int:
        raise RuntimeError("no length")


def nested(depth: int) -> Any:
    """A list in a list in a list."""
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


def endless() -> Any:
    """A list that holds itself, twice."""
    loop: list[Any] = [1]
    loop += [loop, loop]
    return loop


RETURNED: Final[dict[str, tuple[Callable[[], Any], str]]] = {
    "a tuple": (lambda: (1, (2, "x")), "succeeded"),
    "a named tuple": (lambda: Pair(1, [Level.HIGH]), "succeeded"),
    "an enum of text": (lambda: {"color": Color.RED}, "succeeded"),
    "an ordered dict": (lambda: OrderedDict(a=1), "succeeded"),
    "a list that ends whoever walks over it": (lambda: Loud([1]), "succeeded"),
    "lone surrogates and control characters": (lambda: "\ud800 \0 \x1b[2J \n \u2028", "succeeded"),
    "as deep as can be": (lambda: nested(64), "succeeded"),
    "as long as can be": (lambda: "x" * 262_142, "succeeded"),
    "too deep": (lambda: nested(65), "failed"),
    "far too deep": (lambda: nested(100_000), "failed"),
    "too long": (lambda: "x" * 262_143, "failed"),
    "too many": (lambda: [0] * 10_000, "failed"),
    "endless": (endless, "failed"),
    "NaN": (lambda: float("nan"), "failed"),
    "beyond 64 bits": (lambda: 1 << 64, "failed"),
    "a number of a million digits": (lambda: 1 << 4_000_000, "failed"),
    "keys that are no text": (lambda: {1: 2}, "failed"),
    "a datetime": (lambda: datetime(2026, 1, 1, tzinfo=UTC), "failed"),
    "bytes, a set, a Decimal": (lambda: [b"x", {1}, Decimal(1)], "failed"),
    "a generator": (lambda: (n for n in range(3)), "failed"),
    "an object": (object, "failed"),
    "a class": (lambda: type("Odd", (), {"__repr__": lambda _: 1 / 0})(), "failed"),
}


def hostile(*names: str, base: type[BaseException] = Exception) -> BaseException:
    """An exception of which these attributes end whoever looks at them."""

    def fail(*_: object) -> Any:
        raise SystemExit("asked")

    return type("Hostile", (base,), {name: fail if name == "__str__" else property(fail) for name in names})()  # type: ignore[no-any-return]


def unnamed() -> BaseException:
    """An exception whose class has no proper module."""
    kind = type("Odd", (Exception,), {"__str__": lambda _: Sub("words")})
    kind.__module__ = object()  # type: ignore[assignment]
    return kind()


def deep_group() -> BaseException:
    """Groups in groups."""
    group: Exception = ValueError("in the middle")
    for _ in range(2_000):
        group = ExceptionGroup("deep", [group])
    return group


def long_chain() -> BaseException:
    """Each raised while the one before was handled."""
    error: BaseException = ValueError("first")
    for number in range(3_000):
        after = ValueError(number)
        after.__context__, error = error, after
    return error


def tampered(asked: Any, **fields: Any) -> BaseException:
    """A Retry or Snooze that was changed after it was made."""
    vars(asked).update(fields)
    return asked  # type: ignore[no-any-return]


RAISED: Final[dict[str, Callable[[], BaseException]]] = {
    "no message": lambda: hostile("__str__"),
    "no class": lambda: hostile("__class__"),
    "no traceback": lambda: hostile("__traceback__"),
    "no cause": lambda: hostile("__cause__", "__context__", "__suppress_context__"),
    "nothing at all": lambda: hostile("__str__", "__repr__", "__class__", "__traceback__", "__dict__", "__notes__"),
    "no class, and no Exception": lambda: hostile("__class__", "__str__", base=BaseException),
    "no proper module": unnamed,
    "deep groups": deep_group,
    "a long chain": long_chain,
    "control characters": lambda: ValueError("\x1b[2J \0 \n" + "\r" * 3),
    "ten megabytes": lambda: ValueError("x" * 10_000_000),
    "SystemExit": lambda: SystemExit(3),
    "SystemExit with what cannot be shown": lambda: SystemExit(hostile("__str__")),
    "KeyboardInterrupt": KeyboardInterrupt,
    "GeneratorExit": GeneratorExit,
    "MemoryError": MemoryError,
    "RecursionError": RecursionError,
    "StopIteration": lambda: StopIteration(3),
    "StopAsyncIteration": lambda: StopAsyncIteration(3),
    "CancelledError": asyncio.CancelledError,
    "a retry for no time": lambda: tampered(Retry("x"), countdown="soon"),
    "a retry with what cannot be stored": lambda: tampered(Retry("x", countdown=0), new_args=[object()]),
    "a snooze for no time": lambda: tampered(Snooze(5), countdown=object()),
}


def recurse() -> Any:
    """Without end."""
    return recurse()


def no_memory() -> Any:
    """More than there is."""
    return [0] * (1 << 60)


def interrupt_me() -> Any:
    """As those do who stop threads from outside."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(_thread()), ctypes.py_object(SystemExit))
    return sum(range(100_000))


def _thread() -> int:
    import threading  # noqa: PLC0415 - greenlets are not what the interpreter knows

    return threading.get_ident()


def fork() -> Any:
    """The child comes back with what cannot be shown."""
    pid = os.fork()
    if not pid:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        raise hostile("__str__", "__class__")
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def say_what_cannot_be_stored() -> Any:
    """Of its progress."""
    job = current_job()
    assert job is not None
    from .tasks import bound  # noqa: PLC0415 - which imports this

    bound.update_state(meta=object())


def snooze_for_megabytes() -> Any:
    """With a reason that is longer than a line of the journal."""
    raise Snooze(86_400, reason="x" * 20_000_000)


DONE: Final[dict[str, tuple[Callable[[], Any], str]]] = {
    "recursion without end": (recurse, "failed"),
    "more memory than there is": (no_memory, "failed"),
    "progress that cannot be stored": (say_what_cannot_be_stored, "failed"),
    "a reason of 20 MB": (snooze_for_megabytes, "scheduled"),
    "sys.exit": (lambda: sys.exit("bye"), "failed"),
}
FORKS: Final = {"a child that comes back": (fork, "succeeded")}
"""Where threads are threads."""

PAYLOADS: Final[dict[str, str]] = {
    "no JSON": "[[",
    "one key twice": '[[{"a":1,"a":2}],{}]',
    "infinity": "[[1e400],{}]",
    "no call": "{}",
    "no call either": "[1,2]",
    "null": "null",
    "too deep": "[[" + "[" * 200 + "]" * 200 + "],{}]",
    "far too deep": "[[" + "[" * 50_000 + "]" * 50_000 + "],{}]",
    "too long": '[["' + "x" * 300_000 + '"],{}]',
    "too many": "[[" + "0," * 10_001 + "0],{}]",
    "more arguments than it takes": '[["fine",2,3],{}]',
    "a name that it does not take": '[["fine"],{"nobody":1}]',
    "names that are no names": '[["fine"],{"":1,"\\u0000":2,"class":3}]',
}
"""Arguments as somebody may have written them into the store; each fails its job."""
