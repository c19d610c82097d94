"""A second power loss, while what the first has left is being opened: recovery must bear to be broken off anywhere."""

from __future__ import annotations

import random
import shutil
import tempfile
from collections.abc import Callable, Sequence

from hourwheel.store import JsonStore

from tests.kit.jobs import StoppedClock, a_job, content

from .disk import Disk, Order, Process
from .judge import NAME, Judge, Shares
from .workload import Content

_DRAWN = 2
_NONE = Shares(checked=0.2, worked_on=0.0)


def recover(
    files: dict[str, bytes], found: Content, rng: random.Random, order: Order, handicap: Callable[[Process], None]
) -> tuple[int, str]:
    """Open ``files``, which hold ``found``, add a job, and judge what a second crash leaves at each moment of that.

    Returns:
        How many states that were, and what was wrong with the first bad one, or "".
    """
    added = a_job("after the power loss", result_ttl_ms=1 << 40)
    directory = tempfile.mkdtemp(prefix="hourwheel-power-loss-")
    watcher = _Watcher([found, found | {added.id: added}], rng, order)
    process = Process(watcher.disk)
    try:
        watcher.disk.hold(directory, files)
        handicap(process)
        store = JsonStore(f"{directory}/{NAME}", system=process, clock=StoppedClock(), allow_network_fs=True)
        if content(store) != found:
            return watcher.states, "another process reads something else"
        watcher.high = 1
        store.add([added], 0, fresh=True)
        watcher.low = 1
        store.close()
    except Exception as error:
        return watcher.states, f"the store cannot be used: {error!r:.90}"
    finally:
        process.die()
        shutil.rmtree(directory)
    return watcher.states, watcher.wrong


class _Watcher:
    def __init__(self, history: Sequence[Content], rng: random.Random, order: Order) -> None:
        self.disk = Disk(self._judge_some)
        self.low = self.high = self.states = 0
        self.wrong = ""
        self._judge = Judge(history, rng, _NONE)
        self._rng = rng
        self._order = order

    def _judge_some(self) -> None:
        left = [self.disk.after_power_loss(self._rng, self._order) for _ in range(_DRAWN)]
        for files in (*left, self.disk.after_kill(self._rng)):
            self.states += 1
            self.wrong = self.wrong or self._judge.wrong_with(files, self.low, self.high)
