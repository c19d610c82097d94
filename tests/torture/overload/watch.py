"""What is measured while a scheduler is overloaded: its ticker, its memory, how late it is, and the machine's own noise."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from hourwheel import Scheduler
from hourwheel.contract import Claims
from hourwheel.job import Claim
from hourwheel.worker.ticker import Ticker

from ..report import Report

_PAGE = os.sysconf("SC_PAGE_SIZE")
_NAP_S = 0.002
_NAPS_A_SYNC = 10


def resident_mib() -> float:
    """Memory of this process that is in RAM, in MiB."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * _PAGE / (1 << 20)


@dataclass(slots=True)
class Watch:
    """The longest step and the longest oversleep of the tickers of this process, and how many claims they held."""

    longest_step_s: float = 0.0
    longest_oversleep_s: float = 0.0
    most_held: int = 0
    beyond_credit: int = 0
    steps: int = 0
    _woke_by: float | None = None

    def install(self) -> None:
        """Measure every ticker of this process from now on."""
        step, hand_over = Ticker.step, Ticker._hand_over

        def measured(ticker: Ticker) -> float:
            begun = time.monotonic()
            if self._woke_by is not None:
                self.longest_oversleep_s = max(self.longest_oversleep_s, begun - self._woke_by)
            nap_s = step(ticker)
            ended = time.monotonic()
            self.steps += 1
            self.longest_step_s = max(self.longest_step_s, ended - begun)
            self._woke_by = ended + nap_s
            return nap_s

        def counted(ticker: Ticker, claims: Claims, taken: Sequence[Claim], *rest: Any) -> None:
            allowed = ticker.pool.workers + ticker.pace.queue_room()
            held = ticker._inflight + len(taken)
            self.most_held = max(self.most_held, held)
            self.beyond_credit += bool(taken) and held > allowed
            hand_over(ticker, claims, taken, *rest)

        Ticker.step = measured  # type: ignore[method-assign]
        Ticker._hand_over = counted  # type: ignore[method-assign, assignment]


class Noise(threading.Thread):
    """Sleeps and looks how much too late it wakes: the machine's noise (or the interpreter's, beside other threads).

    With a file it also syncs a byte now and then: how long the disk may take is noise, too.
    """

    def __init__(self, file: str | None = None) -> None:
        super().__init__(daemon=True)
        self.longest_s = 0.0
        self.longest_sync_s = 0.0
        self._file = file
        self._over = False

    def run(self) -> None:
        """Until stop()."""
        naps = 0
        fd = -1 if self._file is None else os.open(self._file, os.O_CREAT | os.O_RDWR, 0o600)
        while not self._over:
            before = time.monotonic()
            time.sleep(_NAP_S)
            woke, naps = time.monotonic(), naps + 1
            self.longest_s = max(self.longest_s, woke - before - _NAP_S)
            if fd >= 0 and naps % _NAPS_A_SYNC == 0:
                os.pwrite(fd, b"x", 0)
                os.fdatasync(fd)
                self.longest_sync_s = max(self.longest_sync_s, time.monotonic() - woke)

    def stop(self) -> float:
        """The longest oversleep, in seconds."""
        self._over = True
        self.join()
        return self.longest_s


@dataclass(slots=True)
class Lag:
    """How long the job that is first in line has been due, sampled."""

    app: Scheduler
    clock: Callable[[], float] = time.monotonic
    samples: list[tuple[float, float]] = field(default_factory=list)
    rss: list[float] = field(default_factory=list)

    def sample(self) -> float:
        """Look now; the lag in seconds."""
        next_due_ms = self.app.store.next_due()
        lag_s = 0.0 if next_due_ms is None else max(0.0, self.app.clock.now_ms() / 1000 - next_due_ms / 1000)
        self.samples.append((self.clock(), lag_s))
        self.rss.append(resident_mib())
        return lag_s

    def judge(self, report: Report, loaded_s: float) -> None:
        """It grows for as long as there is too much to do, and is gone in the end."""
        end = self.samples[0][0] + loaded_s
        growing = [lag for at, lag in self.samples if at <= end]
        falls = [(before, after) for before, after in zip(growing, growing[1:], strict=False) if after < before - 0.1]
        report.demand(not falls, f"the lag fell under constant overload: {falls[:3]}")
        report.demand(growing[-1] > loaded_s / 2, f"the lag was {growing[-1]:.1f} s in the end: that was no overload")
        report.demand(self.samples[-1][1] == 0.0, "the lag did not go away after the overload")
