"""Ten times more due than the workers can do: nothing lost, memory bounded, the ticker free, order kept, and it drains.

Half of the jobs were there before and come due meanwhile, half are added by another process. A case is one job. It ends
with jobs that take no time, so that the campaign need not wait ten times as long as the overload lasted.
"""

from __future__ import annotations

import os
import time
from collections import Counter

from ..pace import allowed
from ..processes import add_to, ended, forked, found_by_child, lines_of, scratch, until
from ..report import Report, Size, pick
from .bugs import BUGS, NOTICED_BY
from .load import JOB_S, RATE, WORKERS, Runs, make_app, preload, produce
from .watch import Lag, Noise, Watch, resident_mib

BLOCKED_S = 0.1
GROWTH_MIB = 64.0
_SAMPLE_S = 0.25


def run(size: Size, seed: int) -> Report:
    """20 s in CI, 60 s at full size. (The load is the same whatever the seed.)"""
    report = Report()
    seconds = pick(size, smoke=2.0, ci=20.0, full=60.0)
    add_to(report, found_by_child(lambda: overload(seconds), 20 * seconds + 60, name=f"overload, seed {seed}"))
    for bug in list(BUGS)[: pick(size, smoke=1, ci=None, full=None)]:
        report.seeded(bug, caught=_catches(bug))
    return report


def _catches(bug: str) -> bool:
    def sown() -> Report:
        BUGS[bug]()
        return overload(2.0, at_once=20_000)

    found = found_by_child(sown, 120.0, name=bug)
    return any(NOTICED_BY[bug] in violation for violation in found.violations)


def overload(seconds: float, *, at_once: int = 0) -> Report:
    """Overload a scheduler for so many seconds; ``at_once`` more jobs are due from the beginning."""
    report, runs, watch = Report(), Runs(), Watch()
    with scratch() as directory:
        path, told = os.path.join(directory, "tasks.json"), os.path.join(directory, "told")
        machine = forked(lambda: _listen(told + ".noise", seconds))
        producer = forked(lambda: produce(path, told, seconds, RATE / 2))
        app = make_app(path, runs)
        if at_once:
            preload(app, at_once / 1e6, 1e6)
        added = at_once + preload(app, seconds, RATE / 2)
        watch.install()
        before, lag, noise = resident_mib(), Lag(app), Noise()
        noise.start()
        app.start()
        until(lambda: _over(lag, seconds), seconds + 30, _SAMPLE_S)
        inside_s = noise.stop()
        report.demand(ended(producer, 30.0) == 0 and ended(machine, 30.0) == 0, "the producer failed")
        [[produced, p50, p99, longest]] = lines_of(told)
        added += int(produced)
        growth = max(lag.rss) - before
        machine_s, disk_s = map(float, lines_of(told + ".noise")[0])
        _judge_ticker(report, watch, machine_s, disk_s, inside_s)
        if report.violations and at_once:
            return report
        runs.overloaded = False
        drained = time.monotonic()
        report.demand(
            until(lambda: app.store.stats(0).scheduled == 0 and not app.store.stats(0).running, 10 * seconds + 60, 0.1),
            "it did not drain",
        )
        drained = time.monotonic() - drained
        lag.sample()
        app.stop()
        growth_in_all = max(growth, resident_mib() - before)
        lag.judge(report, seconds)
        _judge_order(report, runs)
        _judge_jobs(report, runs, added, app)
        app.store.close()
    report.demand(growth_in_all <= GROWTH_MIB, f"memory grew by {growth_in_all:.1f} MiB")
    report.cases = added
    _show(report, growth_in_all, lag, drained)
    report.figures["add() meanwhile, in another process"] = (
        f"{float(p50) * 1000:.2f} ms (median), {float(p99) * 1000:.2f} ms (p99), {float(longest) * 1000:.0f} ms (longest)"
    )
    return report


def _listen(told: str, seconds: float) -> None:
    noise = Noise(told + ".synced")
    noise.start()
    time.sleep(seconds)
    with open(told, "w") as file:
        file.write(f"{noise.stop()} {noise.longest_sync_s}\n")


def _over(lag: Lag, seconds: float) -> bool:
    lag.sample()
    return lag.samples[-1][0] - lag.samples[0][0] >= seconds


def _judge_ticker(report: Report, watch: Watch, machine_s: float, disk_s: float, inside_s: float) -> None:
    """A thread that waits for a processor or a disk is not blocked by us: the machine's own noise is allowed on top.

    Both are measured meanwhile by a process that does nothing else.
    """
    allowed_s = allowed(BLOCKED_S) + machine_s + disk_s
    for what, took in (("step", watch.longest_step_s), ("oversleep", watch.longest_oversleep_s)):
        report.demand(
            took <= allowed_s, f"the ticker was blocked: longest {what} {took:.3f} s, allowed {allowed_s:.3f}"
        )
        report.figures[f"ticker's longest {what}"] = f"{took * 1000:.1f} ms"
    report.figures["longest oversleep of a thread beside it, of another process"] = (
        f"{inside_s * 1000:.1f} ms, {machine_s * 1000:.1f} ms"
    )
    report.figures["longest sync of one byte by another process"] = f"{disk_s * 1000:.1f} ms"
    report.demand(not watch.beyond_credit, f"claims beyond the credit, {watch.beyond_credit} times: {watch.most_held}")
    report.figures["most claims held at once"] = f"{watch.most_held}, of {WORKERS} workers"


def _judge_order(report: Report, runs: Runs) -> None:
    """Higher priority first, then the earlier due: nobody overtakes, and no task starves."""
    patient = [(due_ms, late_s) for priority, due_ms, _, late_s in runs.order if priority == 0 and late_s > 1.0]
    jumps = sum(1 for (a, _), (b, _) in zip(patient, patient[1:], strict=False) if b < a - 1000 * JOB_S)
    report.demand(not jumps, f"{jumps} jobs were overtaken by some that were due later")
    urgent = [late_s for priority, _, _, late_s in runs.order if priority > 0]
    report.demand(urgent and max(urgent) < 1.0, f"an urgent job waited {max(urgent, default=99):.2f} s")
    tasks = Counter(task for priority, _, task, _ in runs.order if priority == 0)
    fair = max(tasks.values()) <= 1.25 * min(tasks.values()) and len(tasks) == 2
    report.demand(fair, f"of two tasks alike one starves: {dict(tasks)}")
    report.figures["longest wait of an urgent job"] = f"{max(urgent, default=0) * 1000:.0f} ms"


def _judge_jobs(report: Report, runs: Runs, added: int, app: object) -> None:
    stats = app.store.stats(0)  # type: ignore[attr-defined]
    report.demand((stats.accepted, stats.succeeded) == (added, added), f"of {added} jobs: {stats}")
    report.demand(len(runs.times) == added, f"{added - len(runs.times)} jobs never started")
    twice = sum(1 for times in runs.times.values() if times > 1)
    report.demand(not twice, f"{twice} jobs were started again")
    for violation in app.store.check():  # type: ignore[attr-defined]
        report.wrong(f"check: {violation}")


def _show(report: Report, growth: float, lag: Lag, drained: float) -> None:
    report.figures["memory grew by"] = f"{growth:.1f} MiB"
    report.figures["longest lag"] = f"{max(late for _, late in lag.samples):.1f} s"
    report.figures["drained within"] = f"{drained:.1f} s"
