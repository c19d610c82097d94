"""Scheduling: methods of Scheduler for calls that repeat."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ..clock import as_datetime
from ..contract import Filter, Found
from ..errors import InvalidValue, UnknownSchedule
from ..job import Job, State
from ..payload import decode_call
from ..results.result import AsyncResult
from ..schedules.beat import NO_TIME, Draft, beat_entry, checked_args, checked_kwargs, checked_schedule, schedule_plan
from ..schedules.entry import Entry
from ..schedules.fires import UNFINISHED, forget_unrun
from ..schedules.stored import definitions, entry_of, find_definition
from ..schedules.when import Schedule
from ..schedules.words import words_of
from ..tasks.canvas import Signature
from ..tasks.naming import checked_name
from ..tasks.options.plan import SCHEDULE_KEY
from ..tasks.sender import P, R, Sender
from ..tasks.task import Task
from .app import App

if TYPE_CHECKING:
    from typing import Unpack

    from ..tasks.options.plan import Options
    from ..tasks.options.task_options import TaskOptions
    from ..tasks.options.times import Seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheduled:
    """A schedule as it stands."""

    name: str
    spec: str
    task: str
    next_at: datetime | None
    """When it fires next, in UTC; None until a scheduler has looked after it."""
    paused: bool
    args: tuple[Any, ...] = ()
    """Of its calls; positional."""
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    """Of its calls; by name."""
    stored: bool = False
    """Whether it is defined in the store (app.schedules.add) and not in the code."""
    registered: bool = True
    """Whether this process has its task."""

    @property
    def words(self) -> str:
        """``spec`` in plain words, such as "every 5 minutes"; as it is, if there are none for it."""
        return words_of(self.spec)


def periodic(
    app: App,
    schedule: Schedule | Seconds,
    *,
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    max_instances: int | None = None,
    **options: Unpack[TaskOptions],
) -> Callable[[Callable[P, R]], Task[P, R]]:
    """Make a function a task, and call it again and again: a decorator.

    Args:
        schedule: every(...), crontab(...), or a number of seconds.
        args: of each call; positional.
        kwargs: likewise; by name.
        max_instances: skip a fire while so many earlier ones have not ended: they run, or wait to run or to be tried
            again. None for no limit.
        options: of the task; see TaskOptions. ``name``, by default module.function, is the schedule's, too.
            ``misfire`` says what becomes of fires that were due while nobody could run them: "coalesce" (the
            default) runs once for all of them, "skip" the newest that is within ``misfire_grace_time`` (60 s; given
            alone it means "skip") or none, "each" all, or all that are within a ``misfire_grace_time``.
            Over another ``@app.periodic``, or over ``@app.task``, they are options of this schedule's calls, and
            ``name`` is this schedule's.

    Raises:
        InvalidValue: an option breaks its rule.

    >>> @app.periodic(crontab("0 7 * * mon-fri", timezone="Europe/Berlin"))
    ... def report() -> None: ...
    """
    own: dict[str, Any] = dict(options)
    misfire, grace = own.pop("misfire", None), own.pop("misfire_grace_time", None)
    if own.get("countdown") is not None:
        raise InvalidValue.of("countdown", NO_TIME, own["countdown"])
    checked_schedule(schedule)

    def decorate(fn: Callable[P, R]) -> Task[P, R]:
        made: Any = app.task
        known = isinstance(fn, Task)  # another schedule of it stands beneath this one
        task: Task[P, R] = fn if isinstance(fn, Task) else made(**own)(fn)
        name = own.pop("name", None) if known else None
        plan = schedule_plan(task.plan, own if known else {})
        draft = Draft(task.name, checked_args(args), checked_kwargs(kwargs), plan, misfire, grace, max_instances)
        _add(app, draft, schedule, task, name, task.name)
        return task

    return decorate


def add_periodic_task(
    app: App,
    schedule: Schedule | Seconds,
    sig: Signature[Any] | Sender[..., Any],
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    name: str | None = None,
    *,
    max_instances: int | None = None,
    **options: Unpack[Options],
) -> str:
    """Call a task again and again, under Celery's name for it.

    Args:
        schedule: every(...), crontab(...), or a number of seconds.
        sig: a signature, ``task.s(...)``, or a task.
        args: in front of the signature's own.
        kwargs: added to the signature's own.
        name: of the schedule; by default the call, such as ``shop.remind(7)``, or the task's name where there are
            no arguments. A second schedule of the same call is ``shop.remind(7):2``.
        max_instances: see periodic().
        options: of its calls, see Options; of them ``misfire`` and ``misfire_grace_time`` see periodic().

    Returns:
        The name of the schedule.

    Raises:
        TypeError: the arguments do not fit the function.
        InvalidValue: an option breaks its rule, or another schedule has the name.

    >>> app.add_periodic_task(every(minutes=5), remind.s(1, "x"), name="reminder")
    'reminder'
    """
    call = sig.s() if isinstance(sig, Sender) else sig
    if not isinstance(call, Signature):
        raise InvalidValue.of("sig", "a task, or a signature such as task.s(...) (the schedule comes first)", sig)
    task, sender = call.task, call.call
    if (sender.countdown, sender.eta) != (task.countdown, task.eta):
        raise InvalidValue.of("countdown and eta", NO_TIME, call)
    call = call.clone(checked_args(args), checked_kwargs(kwargs))
    own: dict[str, Any] = dict(options)
    misfire, grace = own.pop("misfire", None), own.pop("misfire_grace_time", None)
    draft = Draft(task.name, call.args, call.kwargs, schedule_plan(sender.plan, own), misfire, grace, max_instances)
    return _add(app, draft, schedule, task, name)


def add_beat_schedule(app: App, schedules: Mapping[str, Mapping[str, Any]]) -> None:
    """Schedules as a dict, as Celery's ``beat_schedule`` has them; tasks are named, and need not be known yet.

    Args:
        schedules: by name: ``{"task": ..., "schedule": ..., "args": (), "kwargs": {}, "options": {}}``, and
            ``misfire``, ``misfire_grace_time`` and ``max_instances``, see periodic().

    Raises:
        InvalidValue: an entry cannot be read; none of them is taken.

    >>> app.add_beat_schedule({"morning": {"task": "shop.report", "schedule": crontab("0 7 * * *")}})
    """
    for entry in [beat_entry(name, told, app.registry, app.timezone) for name, told in schedules.items()]:
        app.fires.add(entry)
    app.wake()


def take_conf(app: App, schedules: Mapping[str, Mapping[str, Any]]) -> None:
    """Replace the schedules of the setting ``beat_schedule`` with these."""
    found = [beat_entry(name, told, app.registry, app.timezone) for name, told in schedules.items()]
    app.fires.replace_conf([replace(entry, of_conf=True) for entry in found])
    app.wake()


def schedules(app: App) -> list[Scheduled]:
    """The schedules of the code and of the store by name; a stored one takes precedence."""
    store = app.store
    paused = set(store.paused())
    found = {name: scheduled(app, entry, paused) for name, entry in app.fires.entries.items()}
    found |= {one.name: one for one in (scheduled_of(app, definition, paused) for definition in definitions(store))}
    return [one for _, one in sorted(found.items())]


def pause_schedule(app: App, name: str) -> bool:
    """Stop a schedule from firing, in all processes, until resume_schedule(); whether that changed anything.

    Raises:
        UnknownSchedule: there is none of that name.
    """
    if find_definition(app.store, name) is None:
        _entry(app, name)
    return bool(app.store.pause([f"{SCHEDULE_KEY}{name}"]))


def resume_schedule(app: App, name: str) -> bool:
    """Let a schedule fire again, from its next instant on; what it missed meanwhile is not run.

    Raises:
        UnknownSchedule: there is none of that name.
    """
    entry, now_ms = _entry(app, name), app.clock.now_ms()
    held = app.fires.pending(app.store, entry)
    next_ms = entry.after(now_ms)
    if held is not None and held.state is State.SCHEDULED and held.due_ms <= now_ms and next_ms is not None:
        before = held.fire.before if held.fire is not None else ()
        app.submit(entry.fire(next_ms, now_ms, app, before=before), on_conflict="replace")
    return bool(app.store.resume([entry.key]))


def run_schedule(app: App, name: str) -> AsyncResult[Any]:
    """Make the call of a schedule now, in addition to its fires.

    Raises:
        UnknownSchedule: there is none of that name.
    """
    entry, now_ns = _entry(app, name), app.clock.now_ns()
    job = entry.job(now_ns, app)
    return app.result_type(app.submit(job, fresh=True), app)


def remove_schedule(app: App, name: str) -> bool:
    """Forget a schedule here and cancel its next fire; whether one was pending. Other processes keep theirs.

    A schedule that is defined in the store is removed for all processes.

    Raises:
        UnknownSchedule: there is none of that name.
    """
    definition = find_definition(app.store, name)
    if definition is not None:
        return _remove_stored(app, definition, name)
    entry = _entry(app, name)
    del app.fires.entries[name]
    held = app.fires.pending(app.store, entry)
    if held is None:
        return False
    found = app.store.cancel([held.id], app.clock.now_ms(), reason="its schedule was removed")
    return found == [Found.SCHEDULED]


def _remove_stored(app: App, definition: Job, name: str) -> bool:
    store = app.store
    fires = [job.id for job in store.scan(Filter(key=f"{SCHEDULE_KEY}{name}", states=UNFINISHED))]
    found = store.cancel([definition.id, *fires], app.clock.now_ms(), reason="its schedule was removed")
    forget_unrun(store, fires)
    store.resume([f"{SCHEDULE_KEY}{name}"])  # so that another of this name does not begin as paused
    return found[0] is Found.SCHEDULED


def _add(
    app: App, draft: Draft, schedule: object, task: Task[..., Any], name: str | None, default: str | None = None
) -> str:
    task.check(*draft.args, **draft.kwargs)
    entry = draft.entry(default or draft.name if name is None else checked_name("name", name), schedule, app.timezone)
    code = sys._getframe(2).f_code
    body = code if code.co_name == "<module>" else None
    added = app.fires.add(replace(entry, made_for=task, body=body, auto=name is None))
    app.wake()
    return added


def _entry(app: App, name: str) -> Entry:
    definition = find_definition(app.store, name)
    entry = app.fires.entries.get(name) if definition is None else entry_of(definition)
    if entry is None:
        known = ", ".join(one.name for one in schedules(app)) or "none"
        raise UnknownSchedule(f"no schedule named {name!r} here; there are: {known}")
    return entry


def scheduled_of(app: App, definition: Job, paused: Collection[str]) -> Scheduled:
    """A stored schedule as it stands, even if it cannot be read."""
    try:
        return scheduled(app, entry_of(definition), paused)
    except (InvalidValue, TypeError):
        assert definition.fire is not None
        name, task = definition.fire.schedule, definition.kwargs.get("task")
        return Scheduled(
            name=name,
            spec=definition.fire.spec,
            task=task if isinstance(task, str) else "",
            next_at=None,
            paused=f"{SCHEDULE_KEY}{name}" in paused,
            stored=True,
            registered=False,
        )


def scheduled(app: App, entry: Entry, paused: Collection[str]) -> Scheduled:
    """A schedule as it stands. ``paused``: the names that are paused in the store."""
    held = app.fires.pending(app.store, entry)
    next_at = as_datetime(held.due_ms) if held is not None and held.state is State.SCHEDULED else None
    spec = entry.schedule.spec
    args, kwargs = decode_call(entry.payload)
    return Scheduled(
        name=entry.name,
        spec=spec,
        task=entry.task,
        next_at=next_at,
        paused=entry.key in paused,
        args=args,
        kwargs=kwargs,
        stored=entry.stored,
        registered=entry.task in app.registry,
    )
