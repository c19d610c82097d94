"""Watching which lines a forked process runs, and killing it at one of them."""

from __future__ import annotations

import gc
import os
import pickle
import random
import signal
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, Final, NamedTuple

import hourwheel
import hourwheel.store

from tests.torture.processes import ended, forked

Line = tuple[str, int]


class Point(NamedTuple):
    """Where to kill: before a line is run for the nth time in a step of the run, both counted from 0."""

    file: str
    line: int
    step: int
    nth: int

    def __str__(self) -> str:
        return f"{os.path.basename(self.file)}:{self.line}, time {self.nth + 1} in step {self.step}"


Work = Callable[[Callable[[], None]], object]
"""A run; it calls what it is given between two of its steps."""
LONG_S: Final = 60.0
_STORE: Final = os.path.dirname(hourwheel.store.__file__)
_WHEEL: Final = os.path.dirname(hourwheel.__file__)
_DISPATCH: Final = (
    *("ticker", "sweep", "asking", "heart", "settling", "stepping", "run/runner", "run/prepare", "run/failure"),
    *("../scheduler/scheduler", "../scheduler/calling", "../tasks/task", "../tasks/sender", "../results/result"),
)
_NAMES: Final = frozenset(os.path.normpath(f"{_WHEEL}/worker/{name}.py") for name in _DISPATCH)
assert all(map(os.path.exists, _NAMES)), "a file that is to be killed in has been moved"


def _of_ours(code: CodeType) -> bool:
    path = code.co_filename
    store = path.startswith(_STORE) and "/repair/" not in path
    return store or path in _NAMES or path.startswith(f"{_WHEEL}/worker/pool/") or path.endswith("/power_loss/seeds.py")


class Tracer:
    """Calls ``at_line`` before each line of the functions that it is to look into, in every thread.

    Args:
        looks_into: asked once for each function.
        at_line: given the file and the number of the line.
    """

    def __init__(self, looks_into: Callable[[CodeType], bool], at_line: Callable[[str, int], None]) -> None:
        self._looks_into = looks_into
        self._at_line = at_line
        self._known: dict[CodeType, bool] = {}

    def start(self) -> None:
        """Begin, in this thread and those that it starts."""
        threading.settrace(self._called)
        sys.settrace(self._called)

    def _called(self, frame: FrameType, event: str, arg: Any) -> Any:
        code = frame.f_code
        wanted = self._known.get(code)
        if wanted is None:
            wanted = self._known[code] = self._looks_into(code)
        return self._line if wanted else None

    def _line(self, frame: FrameType, event: str, arg: Any) -> Any:
        if event == "line":
            self._at_line(frame.f_code.co_filename, frame.f_lineno)
        return self._line


class Failed(Exception):
    """A run in which nobody was killed did not end as it should."""


def watched(work: Work) -> list[list[Line]]:
    """The lines that ``work`` runs in a forked process, in their order, step by step."""
    steps: list[list[Line]] = [[]]
    with tempfile.NamedTemporaryFile(prefix="hourwheel-lines-") as file:

        def watch() -> None:
            Tracer(_of_ours, lambda path, number: steps[-1].append((path, number))).start()
            work(lambda: steps.append([]))
            sys.settrace(None)
            threading.settrace(None)  # type: ignore[arg-type]
            Path(file.name).write_bytes(pickle.dumps(steps))

        status = ended(forked(watch), LONG_S)
        if status != 0:
            raise Failed(f"the run that was only watched ended with {status}")
        found: list[list[Line]] = pickle.loads(Path(file.name).read_bytes())
    return found


def killed_at(work: Work, point: Point) -> int:
    """Run ``work`` in a forked process that kills itself there; its status.

    What comes before the step is not traced, and in the step only the functions that have the line: tracing costs
    three times what it traces.
    """
    left, step = point.nth, 0

    def has_it(code: CodeType) -> bool:
        return code.co_filename == point.file and any(line == point.line for *_, line in code.co_lines())

    def count(path: str, number: int) -> None:
        nonlocal left
        if number == point.line:
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)

    tracer = Tracer(has_it, count)

    def next_step() -> None:
        nonlocal step
        step += 1
        if step == point.step:
            tracer.start()

    def work_traced() -> None:
        if point.step == 0:
            tracer.start()
        work(next_step)

    return _ended(work_traced)


def killed_after(work: Callable[[], object], count: int) -> int:
    """Run ``work`` in a forked process that kills itself when it has run so many lines of ours; its status."""
    left = count

    def count_down(path: str, number: int) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def work_traced() -> None:
        Tracer(_of_ours, count_down).start()
        work()

    return _ended(work_traced)


def _ended(work: Callable[[], object]) -> int:
    gc.collect()  # or else stores that were judged pile up here, and each page of them costs each fork
    return ended(forked(work), LONG_S)


def points(steps: list[list[Line]], count: int, rng: random.Random, only: str = "") -> list[Point]:
    """Where to kill: each line at its first, its last and some other time, as far as ``count`` reaches; then anywhere."""
    where: dict[Line, list[Point]] = {}
    everywhere: list[Point] = []
    for number, lines in enumerate(steps):
        times: Counter[Line] = Counter()
        for line in lines:
            if line[0].endswith(only):
                everywhere.append(Point(*line, number, times[line]))
                where.setdefault(line, []).append(everywhere[-1])
                times[line] += 1
    chosen: list[Point] = []
    groups = list(where.values())
    rng.shuffle(groups)
    for pick in (rng.choice, lambda places: places[0], lambda places: places[-1]):
        chosen += [pick(places) for places in groups]
    while len(chosen) < count and not only:
        chosen.append(rng.choice(everywhere))
    del everywhere, where, groups
    gc.collect()
    gc.freeze()  # or else a collection in a forked process copies the pages of all that we hold
    return chosen[:count]
