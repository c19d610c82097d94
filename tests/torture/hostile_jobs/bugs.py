"""Mistakes put into what stands between a job's data and its worker, one at a time; the campaign must notice each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final

from hourwheel import events
from hourwheel.job import Claim, Failed, Snoozed
from hourwheel.safety import calm
from hourwheel.worker import ticker
from hourwheel.worker.pool import processes
from hourwheel.worker.run import failure, returned, runner


def _hooks_end_threads() -> None:
    events.passes = lambda error: not isinstance(error, Exception)


def _handlers_end_threads() -> None:
    calm.passes = lambda error: True


def _ticker_decodes() -> None:
    right = ticker.Ticker._hand_over

    def hand_over(self: Any, claims: Sequence[Claim], *rest: Any) -> None:
        for claim in claims:
            claim.job.args  # noqa: B018 - a look is what is wrong
        right(self, claims, *rest)

    ticker.Ticker._hand_over = hand_over  # type: ignore[method-assign]


def _exceptions_are_asked() -> None:
    def outcome(self: Any, job: Any, task: Any, run: Any, started: float) -> Any:
        if isinstance(run.raised, OSError):
            return Failed(error=failure.failure_of(run.raised))
        return self._judged(job, task, run, started)

    runner.Runner.outcome = outcome  # type: ignore[method-assign]


def _work_is_done_twice() -> None:
    def stored(self: Any, job: Any, value: Any, seconds: float) -> Any:
        try:
            text = returned.encode_returned(value)
        except Exception as error:
            task = self._registry.get(job.task)
            return self._raised(job, task, runner.Run(entered=True), error, type(error))
        return runner.Succeeded(returned=text)

    runner.Runner._returned = stored  # type: ignore[method-assign]


def _only_exceptions_are_caught() -> None:
    right = runner.Runner.outcome

    def outcome(self: Any, job: Any, task: Any, run: Any, started: float) -> Any:
        if run.raised is not None and not issubclass(type(run.raised), Exception):
            raise run.raised
        return right(self, job, task, run, started)

    runner.Runner.outcome = outcome  # type: ignore[method-assign]


def _reasons_are_kept_whole() -> None:
    def snoozed(self: Any, job: Any, asked: Any) -> Any:
        return Snoozed(due_ms=asked.due_ms(self._clock.now_ns()), reason=asked.reason)

    runner.Runner._snoozed = snoozed  # type: ignore[method-assign]


def _results_are_asked() -> None:
    def of(self: Any, value: Any, depth: int) -> Any:
        return [of(self, item, depth - 1) for item in value] if isinstance(value, (list, tuple)) and depth else value

    returned._Plain.of = of  # type: ignore[method-assign]


def _handlers_end_places() -> None:
    @contextmanager
    def calmly() -> Iterator[None]:
        with suppress(Exception):
            yield

    processes.calmly = calmly


BUGS: Final[dict[str, Callable[[], None]]] = {
    "SystemExit in a hook ends the thread": _hooks_end_threads,
    "what a log handler raises ends the thread": _handlers_end_threads,
    "the ticker decodes what it hands over": _ticker_decodes,
    "an exception is asked what it is": _exceptions_are_asked,
    "work whose result cannot be stored is done again": _work_is_done_twice,
    "only Exceptions are caught": _only_exceptions_are_caught,
    "a reason is stored whole": _reasons_are_kept_whole,
    "a result is asked for its items": _results_are_asked,
    "SystemExit in a log handler ends a worker process": _handlers_end_places,
}
