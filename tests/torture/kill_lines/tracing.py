"""Watching which lines a forked process runs, and killing it at one of them."""

from __future__ import annotations

import os
import pickle
import random
import signal
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, Final

import noria.store
import noria.wheel

from tests.torture.processes import ended, forked

Line = tuple[str, int]
LONG_S: Final = 60.0
_STORE: Final = os.path.dirname(noria.store.__file__)
_WHEEL: Final = os.path.dirname(noria.wheel.__file__)
_DISPATCH: Final = (
    "ticker",
    "sweep",
    "runner",
    "scheduler",
    "task",
    "sender",
    "calling",
    "result",
    "unheard",
    "gathering",
)
_NAMES: Final = frozenset(f"{_WHEEL}/{name}.py" for name in _DISPATCH)


def _is_ours(path: str) -> bool:
    store = path.startswith(_STORE) and "/repair/" not in path
    return store or path in _NAMES or path.startswith(f"{_WHEEL}/pool/") or path.endswith("/power_loss/seeds.py")


class Tracer:
    """Calls ``at_line`` before each line of ours, in every thread."""

    def __init__(self, at_line: Callable[[str, int], None]) -> None:
        self._at_line = at_line
        self._ours: dict[str, bool] = {}

    def start(self) -> None:
        """Begin, in this thread and those that it starts."""
        threading.settrace(self._called)
        sys.settrace(self._called)

    def _called(self, frame: FrameType, event: str, arg: Any) -> Any:
        path = frame.f_code.co_filename
        ours = self._ours.get(path)
        if ours is None:
            ours = self._ours[path] = _is_ours(path)
        return self._line if ours else None

    def _line(self, frame: FrameType, event: str, arg: Any) -> Any:
        if event == "line":
            self._at_line(frame.f_code.co_filename, frame.f_lineno)
        return self._line


def watched(work: Callable[[], object]) -> list[Line]:
    """The lines that ``work`` runs in a forked process, in their order."""
    lines: list[Line] = []
    with tempfile.NamedTemporaryFile(prefix="noria-lines-") as file:

        def watch() -> None:
            Tracer(lambda path, number: lines.append((path, number))).start()
            work()
            sys.settrace(None)
            threading.settrace(None)  # type: ignore[arg-type]
            Path(file.name).write_bytes(pickle.dumps(lines))

        status = ended(forked(watch), LONG_S)
        assert status == 0, f"the run that was only watched ended with {status}"
        found: list[Line] = pickle.loads(Path(file.name).read_bytes())
    return found


def killed(work: Callable[[], object], at: int) -> int:
    """Run ``work`` in a forked process that kills itself at the line event of that number; its status."""
    left = at

    def count(path: str, number: int) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def work_traced() -> None:
        Tracer(count).start()
        work()

    return ended(forked(work_traced), LONG_S)


def points(lines: list[Line], count: int, rng: random.Random, only: str = "") -> list[int]:
    """Where to kill: each line at its first, its last and some other time, as far as ``count`` reaches; then anywhere."""
    where: dict[Line, list[int]] = {}
    for place, line in enumerate(lines):
        if line[0].endswith(only):
            where.setdefault(line, []).append(place)
    chosen: list[int] = []
    groups = list(where.values())
    rng.shuffle(groups)
    for pick in (rng.choice, lambda places: places[0], lambda places: places[-1]):
        chosen += [pick(places) for places in groups]
    while len(chosen) < count and not only:
        chosen.append(rng.randrange(len(lines)))
    return chosen[:count]
