"""Runs campaigns, each in a process of its own, two at a time, and the ones that measure time alone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from .campaigns import Campaign, How
from .pace import patient, slowness
from .report import Report, Size

LANES: Final = 2
LOGS: Final = Path(".cache/torture")
_LEAST_LIMIT_S: Final = 120.0


@dataclass(slots=True)
class Ended:
    """A campaign that is over."""

    campaign: Campaign
    report: Report
    seconds: float


@dataclass(slots=True)
class _Running:
    campaign: Campaign
    process: subprocess.Popen[bytes]
    began: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.began


class Run:
    """One run of some campaigns at one size.

    Args:
        campaigns: which; in which order they are begun.
        size: of each.
        seed: given to each.
        told: called with each that has ended.
    """

    def __init__(self, campaigns: Iterable[Campaign], size: Size, seed: int, told: Callable[[Ended], None]) -> None:
        self._waiting = list(campaigns)
        self._size = size
        self._seed = seed
        self._told = told
        self._running: list[_Running] = []
        self._ended: list[Ended] = []
        LOGS.mkdir(parents=True, exist_ok=True)

    def all(self) -> list[Ended]:
        """Run them; returns them in the order in which they were given."""
        order = list(self._waiting)
        try:
            while self._waiting or self._running:
                self._begin_some()
                self._end_some()
                time.sleep(0.05)
        finally:
            for running in self._running:
                _kill(running.process)
        return sorted(self._ended, key=lambda ended: order.index(ended.campaign))

    def _begin_some(self) -> None:
        self._begin(self._next("throughout"))
        busy = [running for running in self._running if running.campaign.how != "throughout"]
        if any(running.campaign.how == "alone" for running in busy):
            return
        if len(busy) < LANES and (one := self._next("beside")):
            self._begin(one)
        elif not busy:
            self._begin(self._next("alone"))

    def _next(self, how: How) -> Campaign | None:
        return next((campaign for campaign in self._waiting if campaign.how == how), None)

    def _begin(self, campaign: Campaign | None) -> None:
        if campaign is None:
            return
        self._waiting.remove(campaign)
        _result(campaign).unlink(missing_ok=True)
        command = [sys.executable, "-m", "tests.torture", "--child", campaign.name]
        command += ["--size", self._size, "--seed", str(self._seed)]
        with _log(campaign).open("wb") as log:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )
        self._running.append(_Running(campaign, process))

    def _end_some(self) -> None:
        for running in list(self._running):
            late = running.seconds > patient(max(_LEAST_LIMIT_S, 2 * running.campaign.expected_s(self._size)))
            if running.process.poll() is None and not late:
                continue
            _kill(running.process)
            self._running.remove(running)
            ended = Ended(running.campaign, self._report(running, late=late), running.seconds)
            self._ended.append(ended)
            self._told(ended)

    def _report(self, running: _Running, *, late: bool) -> Report:
        result = _result(running.campaign)
        if result.exists():
            return Report.from_json(json.loads(result.read_text()))
        report = Report()
        how = "was not over in time" if late else f"ended with status {running.process.returncode}"
        report.wrong(f"the campaign {how}; see {_log(running.campaign)}:\n{_tail(_log(running.campaign))}")
        return report


def run_as_child(campaign: Campaign, size: Size, seed: int) -> None:
    """Run a campaign in this process and leave its report for the one that began it."""
    # Not as it was inherited: a shell has what it runs in the background ignore it, and the campaigns send it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    slowness()  # measured now, before there are threads
    report = campaign.run(size, seed)
    partial = _result(campaign).with_suffix(".partial")
    partial.write_text(json.dumps(report.as_json()))
    partial.replace(_result(campaign))


def _result(campaign: Campaign) -> Path:
    return LOGS / f"{campaign.name}.json"


def _log(campaign: Campaign) -> Path:
    return LOGS / f"{campaign.name}.log"


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-15:])


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End it and whatever it has left behind: it leads a session of its own."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()
