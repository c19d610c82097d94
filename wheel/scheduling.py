"""Scheduling: what a scheduler offers for calls that repeat."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Any, Final, Protocol

from .canvas import Signature
from .clock import as_datetime, deadline_ms
from .contract import Found
from .decorator import TaskDecorator
from .errors import InvalidValue, UnknownSchedule
from .job import State
from .naming import checked_name
from .options import Plan, span
from .pausing import pausable
from .payload import encode_call
from .periodic import Schedule, every
from .result import AsyncResult
from .schedules import MISFIRES, Entry, Schedules
from .sender import P, R
from .task import Carrier, Task

if TYPE_CHECKING:
    from typing import Unpack

    from .options import Seconds
    from .task_options import TaskOptions

_GRACE_MS: Final = 60_000


class Planner(Carrier, Protocol):
    """What scheduling needs of a scheduler."""

    _schedules: Schedules
    timezone: tzinfo
    task: TaskDecorator

    def wake(self) -> None:
        """End the ticker's nap, if there is one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheduled:
    """A schedule as it stands."""

    name: str
    spec: str
    task: str
    next_at: datetime | None
    """When it fires next, in UTC; None until a scheduler has looked after it."""
    paused: bool


class Scheduling:
    """Calls that repeat."""

    def periodic(
        self: Planner,
        schedule: Schedule | Seconds,
        *,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        **options: Unpack[TaskOptions],
    ) -> Callable[[Callable[P, R]], Task[P, R]]:
        """Make a function a task, and call it again and again: a decorator.

        Args:
            schedule: every(...), crontab(...), or a number of seconds.
            args: of each call; positional.
            kwargs: likewise; by name.
            options: of the task; see TaskOptions. ``name``, by default module.function, is the schedule's, too.
                ``misfire`` says what becomes of fires that were due while nobody could run them: "coalesce" (the
                default) runs once for all of them, "skip" none that is later than ``misfire_grace_time`` (60 s; given
                alone it means "skip"), "each" all.

        Raises:
            InvalidValue: an option breaks its rule.

        >>> @app.periodic(crontab("0 7 * * mon-fri", timezone="Europe/Berlin"))
        ... def report() -> None: ...
        """
        own: dict[str, Any] = dict(options)
        misfire, grace = own.pop("misfire", None), own.pop("misfire_grace_time", None)
        _checked_schedule(schedule, self.timezone)

        def decorate(fn: Callable[P, R]) -> Task[P, R]:
            made: Any = self.task
            task: Task[P, R] = made(**own)(fn)
            _add(self, task.name, schedule, task, args, kwargs, task._plan, misfire, grace)
            return task

        return decorate

    def add_periodic_task(
        self: Planner,
        schedule: Schedule | Seconds,
        sig: Signature[Any] | Task[..., Any],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        name: str | None = None,
        *,
        misfire: str | None = None,
        misfire_grace_time: Seconds | None = None,
    ) -> str:
        """Call a task again and again, under Celery's name for it.

        Args:
            schedule: every(...), crontab(...), or a number of seconds.
            sig: a signature, ``task.s(...)``, or a task.
            args: in front of the signature's own.
            kwargs: added to the signature's own.
            name: of the schedule; by default the task's.
            misfire: see periodic().
            misfire_grace_time: likewise.

        Returns:
            The name of the schedule.

        Raises:
            TypeError: the arguments do not fit the function.
            InvalidValue: an option breaks its rule, or another schedule has the name.

        >>> app.add_periodic_task(every(minutes=5), remind.s(1, "x"), name="reminder")
        'reminder'
        """
        call = sig.s() if isinstance(sig, Task) else sig
        if not isinstance(call, Signature):
            raise InvalidValue.of("sig", "a task, or a signature as task.s(...) gives it", sig)
        call = call.clone(args, kwargs)
        plan = call.call._plan
        return _add(
            self, name or call.task.name, schedule, call.task, call.args, call.kwargs, plan, misfire, misfire_grace_time
        )

    def add_beat_schedule(self: Planner, schedules: Mapping[str, Mapping[str, Any]]) -> None:
        """Schedules as a dict, as Celery's ``beat_schedule`` has them; tasks are named, and need not be known yet.

        Args:
            schedules: by name: ``{"task": ..., "schedule": ..., "args": (), "kwargs": {}, "options": {}}``, and
                ``misfire`` and ``misfire_grace_time``, see periodic().

        Raises:
            InvalidValue: an entry cannot be read; none of them is taken.

        >>> app.add_beat_schedule({"morning": {"task": "shop.report", "schedule": crontab("0 7 * * *")}})
        """
        for entry in [_beat_entry(self, name, told) for name, told in schedules.items()]:
            self._schedules.add(entry)
        self.wake()

    @property
    def schedules(self: Planner) -> list[Scheduled]:
        """The schedules of this scheduler, by name, and when each fires next.

        >>> [(one.name, one.spec) for one in app.schedules]
        [('reminder', 'every 300000 ms')]
        """
        paused = set(pausable(self.store).paused())
        return [_scheduled(self, entry, paused) for _, entry in sorted(self._schedules.entries.items())]

    def pause_schedule(self: Planner, name: str) -> bool:
        """Let it not fire any more, in any process, until resume_schedule(); whether that has changed anything.

        Raises:
            UnknownSchedule: there is none of that name.
        """
        return bool(pausable(self.store).pause([_entry(self, name).key]))

    def resume_schedule(self: Planner, name: str) -> bool:
        """Let it fire again, from the next instant on; what was missed meanwhile is not made up for.

        Raises:
            UnknownSchedule: there is none of that name.
        """
        entry, now_ms = _entry(self, name), self.clock.now_ms()
        held = self._schedules.pending(self.store, entry)
        next_ms = entry.schedule.after(now_ms)
        if held is not None and held.state is State.SCHEDULED and held.due_ms <= now_ms and next_ms is not None:
            self.submit(entry.fire(next_ms, now_ms, self), on_conflict="replace")
        return bool(pausable(self.store).resume([entry.key]))

    def run_schedule(self: Planner, name: str) -> AsyncResult[Any]:
        """Make its call now, beside its fires.

        Raises:
            UnknownSchedule: there is none of that name.
        """
        entry, now_ns = _entry(self, name), self.clock.now_ns()
        job = entry.job(now_ns, self)
        return AsyncResult(self.submit(job, fresh=True), self)

    def remove_schedule(self: Planner, name: str) -> bool:
        """Forget it here, and cancel its next fire; whether there was one. Other processes that have it go on.

        Raises:
            UnknownSchedule: there is none of that name.
        """
        entry = _entry(self, name)
        del self._schedules.entries[name]
        held = self._schedules.pending(self.store, entry)
        if held is None:
            return False
        found = self.store.cancel([held.id], self.clock.now_ms(), reason="its schedule was removed")
        return found == [Found.SCHEDULED]


def _add(
    app: Planner,
    name: str,
    schedule: Schedule | Seconds,
    task: Task[..., Any],
    args: Sequence[Any],
    kwargs: Mapping[str, Any] | None,
    plan: Plan,
    misfire: str | None,
    grace: Seconds | None,
) -> str:
    task._check(*args, **(kwargs or {}))
    if plan.link or plan.link_error:
        raise InvalidValue.of("link", "absent from a schedule", plan.link or plan.link_error)
    payload = encode_call(tuple(args), dict(kwargs or {}))
    app._schedules.add(_made(app, name, schedule, task.name, payload, plan, misfire, grace))
    app.wake()
    return name


def _made(
    app: Planner,
    name: str,
    schedule: Schedule | Seconds,
    task: str,
    payload: str,
    plan: Plan,
    misfire: str | None,
    grace: Seconds | None,
) -> Entry:
    checked_name("name", name)
    if plan.key is not None or plan.task_id is not None:
        raise InvalidValue.of("key and task_id", "absent from a schedule, whose fires have their own", plan.key)
    if misfire is not None and misfire not in MISFIRES:
        raise InvalidValue.of("misfire", '"coalesce", "skip" or "each"', misfire)
    grace_ms = _GRACE_MS if grace is None else deadline_ms(0, span("misfire_grace_time", grace))
    if plan.expires is not None:
        misfire, grace_ms = misfire or "skip", deadline_ms(0, plan.expires)
    elif plan.skips and misfire is None and grace is None:
        misfire, grace_ms = "skip", plan.grace_ms
    return Entry(
        name=name,
        schedule=_checked_schedule(schedule, app.timezone),
        task=task,
        payload=payload,
        plan=plan,
        misfire=misfire or ("coalesce" if grace is None else "skip"),
        grace_ms=grace_ms,
    )


def _checked_schedule(schedule: object, zone: tzinfo) -> Schedule:
    if isinstance(schedule, (int, float, timedelta)) and type(schedule) is not bool:
        schedule = every(schedule)
    if not callable(getattr(schedule, "after", None)) or not callable(getattr(schedule, "localized", None)):
        raise InvalidValue.of("schedule", "every(...), crontab(...) or a number of seconds", schedule)
    return schedule.localized(zone)  # type: ignore[attr-defined, no-any-return]


_BEAT: Final = frozenset({"task", "schedule", "args", "kwargs", "options", "misfire", "misfire_grace_time"})


def _beat_entry(app: Planner, name: str, told: Mapping[str, Any]) -> Entry:
    if not isinstance(told, Mapping) or "task" not in told or "schedule" not in told:
        raise InvalidValue.of(f"beat_schedule[{name!r}]", "a dict with task and schedule", told)
    for key in told:
        if key not in _BEAT:
            raise InvalidValue.of(f"beat_schedule[{name!r}]", f"made of {', '.join(sorted(_BEAT))}", key)
    task = told["task"].name if isinstance(told["task"], Task) else told["task"]
    if type(task) is not str or not task:
        raise InvalidValue.of(f"beat_schedule[{name!r}]['task']", "a task, or the name of one", task)
    known = app.registry.get(task) if task in app.registry else None
    plan = (Plan() if known is None else known._plan).but(dict(told.get("options") or {}))
    args, kwargs = tuple(told.get("args") or ()), dict(told.get("kwargs") or {})
    if known is not None:
        known._check(*args, **kwargs)
    payload = encode_call(args, kwargs)
    grace = told.get("misfire_grace_time")
    return _made(app, name, told["schedule"], task, payload, plan, told.get("misfire"), grace)


def _entry(app: Planner, name: str) -> Entry:
    entry = app._schedules.entries.get(name)
    if entry is None:
        known = ", ".join(sorted(app._schedules.entries)) or "none"
        raise UnknownSchedule(f"no schedule named {name!r} here; there are: {known}")
    return entry


def _scheduled(app: Planner, entry: Entry, paused: set[str]) -> Scheduled:
    held = app._schedules.pending(app.store, entry)
    next_at = as_datetime(held.due_ms) if held is not None and held.state is State.SCHEDULED else None
    spec = entry.schedule.spec
    return Scheduled(name=entry.name, spec=spec, task=entry.task, next_at=next_at, paused=entry.key in paused)
