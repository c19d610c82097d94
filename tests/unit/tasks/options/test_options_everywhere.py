"""Every option in every way to call: it is honoured, or the call is refused. None is accepted and forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from hourwheel import Filter, InvalidValue, Job, Limit, Retry, Scheduler, chain, chord, every, group
from hourwheel.store import MemoryStore
from hourwheel.tasks.options.plan import CALL
from hourwheel.tasks.options.task_options import _OWN
from hourwheel.testing import FakeClock

from tests.kit.django_project import databases

NOW_MS = 1_800_000_000_000
IN_5_S = datetime.fromtimestamp(NOW_MS / 1000 + 5, UTC)
SMTP = Limit("smtp", concurrency=2)


class Bench:
    """A scheduler with a task "target", whose one job is looked for, and others that stand around it."""

    def __init__(self) -> None:
        self.clock = FakeClock(NOW_MS)
        self.app = Scheduler(MemoryStore(), clock=self.clock)
        self.target = self.app.task(name="target")(self._run)
        self.other = self.app.task(name="other")(lambda *given: 1)
        self.note = self.app.task(name="note")(lambda *given: None)
        self.fails = self.app.task(name="fails")(self._fail)
        self.asks: dict[str, Any] | None = None
        self.asked: Retry | None = None

    def _run(self, *given: Any, **named: Any) -> int:
        if self.asks is not None:
            asks, self.asks = self.asks, None
            if not asks.keys() & {"countdown", "eta"}:
                asks = {"countdown": 1, **asks}
            self.asked = Retry("again", **asks)
            raise self.asked
        return 1

    def _fail(self, *given: Any) -> None:
        raise ValueError("no")

    @property
    def job(self) -> Job:
        found = [job for job in self.app.store.scan() if job.task == "target"]
        assert len(found) == 1, found
        return found[0]

    def linked(self, need: str) -> bool:
        """Whether note is called when the target, or what it is a part of, has ended so."""
        found = [one.after for one in self.app.store.scan() if one.task == "note"]
        return [after.need for after in found if after is not None] == [need]


# ---- options: how each is given, and how it is seen that it is honoured ----------------------------------------

Sees = Callable[[Bench], bool]


def field(name: str, value: Any) -> Sees:
    return lambda bench: bool(getattr(bench.job, name) == value)


def later(bench: Bench) -> bool:
    job = bench.job
    return job.due_ms == NOW_MS + 5_000 or (job.after is not None and job.after.delay_ms == 5_000)


def graced(ms: int) -> Sees:
    """A job has it itself; of a schedule it is the policy that its fires are judged by."""

    def sees(bench: Bench) -> bool:
        entries = [*bench.app.fires.entries.values()]
        return bool(entries[0].policy.grace_ms == ms) if entries else bench.job.grace_ms == ms

    return sees


def expires(bench: Bench) -> bool:
    return graced(60_000)(bench) if bench.app.fires.entries else bench.job.expires_ms == NOW_MS + 60_000


def limited(*names: str) -> Sees:
    return lambda bench: [bound.name for bound in bench.job.limits] == [*names]


def there(bench: Bench) -> str:
    """The id of a job that is in the store already."""
    return bench.app.send_task("before", task_id="before").id


def waits(need: str) -> Sees:
    return lambda bench: bench.job.after is not None and bench.job.after[:3:2] == (("before",), need)


OPTIONS: dict[str, tuple[Callable[[Bench], dict[str, Any]], Sees]] = {
    "countdown": (lambda b: {"countdown": 5}, later),
    "eta": (lambda b: {"eta": IN_5_S}, later),
    "expires": (lambda b: {"expires": 60}, expires),
    "expires at": (lambda b: {"expires": datetime.fromtimestamp(NOW_MS / 1000 + 60, UTC)}, expires),
    "queue": (lambda b: {"queue": "mail"}, field("queue", "mail")),
    "priority": (lambda b: {"priority": 7}, field("priority", 7)),
    "key": (lambda b: {"key": "k"}, field("key", "k")),
    "on_conflict": (lambda b: {"on_conflict": "raise"}, lambda b: b.target.plan.on_conflict == "raise"),  # a default
    "on_conflict with a key": (lambda b: {"on_conflict": "raise", "key": "k"}, field("key", "k")),
    "max_wait": (lambda b: {"max_wait": 9}, lambda b: b.target.plan.max_wait == 9),
    "max_wait with a key": (lambda b: {"max_wait": 9, "key": "k"}, field("latest_ms", NOW_MS + 9_000)),
    "misfire": (lambda b: {"misfire": "skip"}, graced(60_000)),
    "misfire_grace_time": (lambda b: {"misfire_grace_time": 9}, graced(9_000)),
    "acks_early": (lambda b: {"acks_early": True}, field("max_crashes", 1)),
    "max_crashes": (lambda b: {"max_crashes": 9}, field("max_crashes", 9)),
    "result_ttl": (lambda b: {"result_ttl": 8 * 86_400}, field("result_ttl_ms", 8 * 86_400_000)),
    "rate_limit": (lambda b: {"rate_limit": "5/m"}, limited("task:target")),
    "concurrency": (lambda b: {"concurrency": 2}, limited("task:target")),
    "limit_key": (lambda b: {"limit_key": "k"}, lambda b: b.target.plan.limit_key == "k"),
    "limit_key with a limit": (lambda b: {"limit_key": "k", "concurrency": 2}, limited("task:target k")),
    "limits": (lambda b: {"limits": SMTP}, limited("smtp")),
    "after": (lambda b: {"after": there(b)}, waits("succeeded")),
    "even_if": (lambda b: {"even_if": "failed"}, lambda b: b.target.plan.need == "finished"),
    "even_if with after": (lambda b: {"even_if": "failed", "after": there(b)}, waits("finished")),
    "link": (lambda b: {"link": b.note.s()}, lambda b: b.linked("succeeded")),
    "link_error": (lambda b: {"link_error": b.note.s()}, lambda b: b.linked("failed")),
    "task_id": (lambda b: {"task_id": "mine"}, field("id", "mine")),
    "ignore_result": (lambda b: {"ignore_result": True}, lambda b: bool(getattr(b.job, "ignore_result", False))),
    "time_limit": (lambda b: {"time_limit": 9}, lambda b: b.target.limits.hard_s == 9),
    "soft_time_limit": (lambda b: {"soft_time_limit": 9}, lambda b: b.target.limits.soft_s == 9),
    "max_retries": (
        lambda b: {"max_retries": 9},
        lambda b: (b.target.retrying if b.asked is None else b.asked).max_retries == 9,
    ),
    "default_retry_delay": (lambda b: {"default_retry_delay": 9}, lambda b: b.target.retrying.delay == 9),
    "autoretry_for": (lambda b: {"autoretry_for": OSError}, lambda b: b.target.retrying.on == (OSError,)),
    "dont_autoretry_for": (lambda b: {"dont_autoretry_for": OSError}, lambda b: b.target.retrying.never == (OSError,)),
    "retry_backoff": (lambda b: {"retry_backoff": 9}, lambda b: b.target.retrying.backoff == 9),
    "retry_backoff_max": (lambda b: {"retry_backoff_max": 9}, lambda b: b.target.retrying.backoff_max == 9),
    "retry_jitter": (lambda b: {"retry_jitter": True}, lambda b: b.target.retrying.jitter is True),
    "retry_kwargs": (lambda b: {"retry_kwargs": {"countdown": 9}}, lambda b: b.target.retrying.delay == 9),
    "retries": (lambda b: {"retries": 9}, lambda b: b.target.retrying.max_retries == 9),
    "retry_delay": (lambda b: {"retry_delay": 9, "retries": 1}, lambda b: b.target.retrying.delay == 9),
    "name": (lambda b: {"name": "target"}, lambda b: b.target.name == "target"),
    "aliases": (lambda b: {"aliases": ["old"]}, lambda b: b.app.registry.get("old") is b.target),
    "bind": (lambda b: {"bind": True}, lambda b: b.target.bind),
}


# ---- ways to call -----------------------------------------------------------------------------------------------


def decorated(bench: Bench, options: dict[str, Any]) -> None:
    bench.app.registry._tasks.clear()
    bench.target = bench.app.task(**{"name": "target", **options})(lambda *given: 1)
    bench.target.delay()


def on_commit(call: Callable[[Bench, dict[str, Any]], Any]) -> Callable[[Bench, dict[str, Any]], Any]:
    def way(bench: Bench, options: dict[str, Any]) -> None:
        pytest.importorskip("django")
        with databases():
            call(bench, options)

    return way


def periodic(bench: Bench, options: dict[str, Any]) -> None:
    bench.app.registry._tasks.clear()
    bench.target = bench.app.periodic(every(60), **{"name": "target", **options})(lambda *given: 1)
    bench.app.run_due()


def again(bench: Bench, options: dict[str, Any]) -> None:
    bench.asks = options
    bench.target.delay()
    bench.app.run_due()
    if bench.asks is None and bench.job.finished:
        raise InvalidValue(bench.job.error.message)  # type: ignore[union-attr]  # a worker's way to refuse


WAYS: dict[str, Callable[[Bench, dict[str, Any]], Any]] = {
    "apply_async": lambda b, o: b.target.apply_async((), **o),
    "options, delay": lambda b, o: b.target.options(**o).delay(),
    "options twice": lambda b, o: b.target.options(queue="q", priority=1).options(**o).delay(),
    "options, apply_async": lambda b, o: b.target.options(**o).apply_async(),
    "after, apply_async": lambda b, o: b.target.after(5).apply_async((), **o),
    "at, options": lambda b, o: b.target.at(IN_5_S).options(**o).delay(),
    "adelay": lambda b, o: asyncio.run(b.target.options(**o).adelay()),
    "aapply_async": lambda b, o: asyncio.run(b.target.aapply_async((), **o)),
    "delay_on_commit": on_commit(lambda b, o: b.target.options(**o).delay_on_commit()),
    "apply_async_on_commit": on_commit(lambda b, o: b.target.apply_async_on_commit((), **o)),
    "send_task": lambda b, o: b.app.send_task("target", **o),
    "schedule_many": lambda b, o: b.app.schedule_many(b.target, [((), {})], **o),
    "signature": lambda b, o: b.target.signature(**o).delay(),
    "set": lambda b, o: b.target.s().set(**o).delay(),
    "signature, apply_async": lambda b, o: b.target.s().apply_async((), **o),
    "first of a chain": lambda b, o: chain(b.target.s().set(**o), b.other.s()).delay(),
    "last of a chain": lambda b, o: chain(b.other.s(), b.target.signature(**o)).delay(),
    "middle of a chain": lambda b, o: (b.other.s() | b.target.options(**o).si() | b.other.s()).delay(),
    "group": lambda b, o: group(b.other.s(), b.target.s().set(**o)).delay(),
    "group of one": lambda b, o: group(b.target.s().set(**o)).delay(),
    "chain in a group": lambda b, o: group(chain(b.other.s(), b.target.s().set(**o)), b.other.s()).delay(),
    "chord header": lambda b, o: chord([b.target.s().set(**o)], b.other.s()).delay(),
    "chord body": lambda b, o: chord([b.other.s(), b.other.s()], b.target.s().set(**o)).delay(),
    "body of an empty chord": lambda b, o: chord([], b.target.s().set(**o)).delay(),
    "link": lambda b, o: b.other.apply_async(link=b.target.s().set(**o)),
    "link of a link": lambda b, o: b.other.apply_async(link=b.other.s().set(link=b.target.s().set(**o))),
    "link in a chain": lambda b, o: chain(b.other.s().set(link=b.target.s().set(**o)), b.other.s()).delay(),
    "errback": lambda b, o: b.fails.apply_async(link_error=b.target.s().set(**o)),
    "errback in a group": lambda b, o: group(b.fails.s().set(link_error=b.target.s().set(**o))).delay(),
    "chain as a link": lambda b, o: b.other.apply_async(link=chain(b.target.s().set(**o), b.other.s())),
    "whole chain": lambda b, o: chain(b.target.s()).apply_async(**o),
    "whole chain, set": lambda b, o: chain(b.target.s()).set(**o).delay(),
    "whole group": lambda b, o: group(b.target.s()).apply_async(**o),
    "whole chord": lambda b, o: chord([b.target.s()], b.other.s()).apply_async(**o),
    "open chord": lambda b, o: chord([b.target.s()])(b.other.s(), **o),
    "chain within a chain": lambda b, o: (b.other.s() | chain(b.target.s()).set(**o) | b.other.s()).delay(),
    "group within a chain": lambda b, o: (b.other.s() | group(b.target.s()).set(**o) | b.other.s()).delay(),
    "decorator": decorated,
    "periodic": periodic,
    "periodic over a task": lambda b, o: (b.app.periodic(every(60), **o)(b.target), b.app.run_due()),
    "add_periodic_task": lambda b, o: (b.app.add_periodic_task(60, b.target, **o), b.app.run_due()),
    "add_periodic_task, signature": lambda b, o: (b.app.add_periodic_task(60, b.target.s().set(**o)), b.app.run_due()),
    "beat_schedule": lambda b, o: (
        b.app.add_beat_schedule({"x": {"task": "target", "schedule": 60, "options": o}}),
        b.app.run_due(),
    ),
    "Retry": again,
}


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    yield bench
    assert bench.app.store.check() == []
    bench.app.close()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("option", OPTIONS)
def test_no_option_is_accepted_and_forgotten(bench: Bench, option: str, way: str) -> None:
    give, is_honoured = OPTIONS[option]
    given = give(bench)
    try:
        WAYS[way](bench, given)
    except (InvalidValue, TypeError) as refused:
        assert any(name in str(refused) for name in given), f"it does not say which option: {refused}"
        if way not in ("Retry", "decorator", "periodic"):
            assert [job for job in bench.app.store.scan(Filter(), 10) if job.task != "before"] == []
        return
    assert is_honoured(bench), f"{option} was accepted and forgotten: {bench.job}"


def test_the_table_has_all_options() -> None:
    assert {*CALL, *_OWN} - {"ignore_result"} == {option.split(" ")[0] for option in OPTIONS} - {"ignore_result"}


@pytest.mark.parametrize("option", OPTIONS)
def test_delay_takes_the_time_and_passes_nothing_else_in_silence(bench: Bench, option: str) -> None:
    task = bench.app.task(name="strict")(lambda: None)
    given = OPTIONS[option][0](bench)
    if option in ("countdown", "eta"):
        assert task.delay(**given).job().due_ms == NOW_MS + 5_000
        assert task.s().delay(**given).job().due_ms == NOW_MS + 5_000
        return
    for call in (task.delay, task.s().delay, chain(task.s()).delay, group(task.s()), task.adelay):
        with pytest.raises(TypeError, match="unexpected keyword argument"):
            found = call(**given)
            asyncio.run(found)


@pytest.mark.parametrize("way", WAYS)
def test_an_option_that_nobody_knows_is_refused_in_every_way(bench: Bench, way: str) -> None:
    with pytest.raises((InvalidValue, TypeError), match="colour"):
        WAYS[way](bench, {"colour": "blue"})


@pytest.mark.parametrize("way", WAYS)
def test_two_options_that_contradict_each_other_are_refused(bench: Bench, way: str) -> None:
    with pytest.raises((InvalidValue, TypeError), match="max_crashes|acks_early"):
        WAYS[way](bench, {"acks_early": True, "max_crashes": 5})
