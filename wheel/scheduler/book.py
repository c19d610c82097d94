"""Book: ``app.schedules``, the list of schedules, and the ways to define schedules in the store at run time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, overload

from ..contract import OnConflict, find
from ..errors import DuplicateJob, InvalidValue, UnknownSchedule
from ..job import Job
from ..results.result import AsyncResult
from ..schedules.beat import beat_entry, checked_args, checked_kwargs, checked_schedule
from ..schedules.entry import Entry
from ..schedules.fires import forget_unrun
from ..schedules.stored import definition_of, find_definition, item_of, stored_entry
from ..schedules.when import Schedule
from ..tasks.naming import checked_name
from ..tasks.task import Task
from . import scheduling
from .app import App
from .scheduling import Scheduled

if TYPE_CHECKING:
    from typing import Unpack

    from ..tasks.options.plan import Options
    from ..tasks.options.times import Seconds

_POLICY: Final = ("misfire", "misfire_grace_time", "max_instances")


class ScheduleBook(Sequence[Scheduled]):
    """The schedules by name. A sequence that is read from the store each time, and the ways to change it.

    Schedules that are added here are data in the store: all processes see them at once, and they survive restarts.
    Those of the code stand beside them, and cannot be changed here.
    """

    __hash__ = None  # type: ignore[assignment]

    def __init__(self, app: App) -> None:
        self._app = app

    @overload
    def __getitem__(self, index: int) -> Scheduled: ...
    @overload
    def __getitem__(self, index: slice) -> list[Scheduled]: ...
    def __getitem__(self, index: int | slice) -> Scheduled | list[Scheduled]:
        return scheduling.schedules(self._app)[index]

    def __iter__(self) -> Iterator[Scheduled]:
        return iter(scheduling.schedules(self._app))

    def __len__(self) -> int:
        return len(scheduling.schedules(self._app))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, (list, ScheduleBook)):
            return NotImplemented
        return list(self) == list(other)

    def __repr__(self) -> str:
        return repr(scheduling.schedules(self._app))

    def get(self, name: str) -> Scheduled | None:
        """Return the schedule of that name, of the store or the code; None if there is none.

        >>> app.schedules.get("never")
        """
        definition = find_definition(self._app.store, name)
        if definition is not None:
            return scheduling.scheduled_of(self._app, definition, self._app.store.paused())
        entry = self._app.fires.entries.get(name)
        return None if entry is None else scheduling.scheduled(self._app, entry, self._app.store.paused())

    def add(
        self,
        name: str,
        when: Schedule | Seconds,
        task: Task[..., Any] | str,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        *,
        max_instances: int | None = None,
        **options: Unpack[Options],
    ) -> Scheduled:
        """Define a schedule in the store, durably.

        Args:
            name: of the schedule; no other in the store or in this code has it.
            when: every(...), crontab(...), or a number of seconds. Without a time zone, it gets the scheduler's.
            task: the task, or its name. A process that does not have it leaves the fires to others.
            args: of each call; positional. JSON, as of any call.
            kwargs: likewise; by name.
            max_instances: see Scheduler.periodic, also for ``misfire`` and ``misfire_grace_time``.
            options: of its calls, see Options; JSON as well, so durations are seconds. The task's apply otherwise.

        Raises:
            TypeError: the task is known here, and does not take the arguments.
            InvalidValue: an argument breaks its rule, the name is taken, or there is no fire from now on.
            PayloadError: an argument or option is not JSON.

        >>> app.schedules.add("greeting", every(minutes=5), remind, (1, "x")).words
        'every 5 minutes'
        """
        item = _item(task, args, kwargs, {**options, "max_instances": max_instances})
        entry = self._checked(checked_name("name", name), when, item)
        if name in self._app.fires.entries:
            raise InvalidValue.of("name", "new: the code has a schedule of that name, and is where to change it", name)
        return self._put(entry, item, "raise")

    def change(
        self,
        name: str,
        *,
        when: Schedule | Seconds | None = None,
        task: Task[..., Any] | str | None = None,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        max_instances: int | None = None,
        **options: Unpack[Options],
    ) -> Scheduled:
        """Change a stored schedule, durably. What is not given stays as it is.

        The task, its arguments, the misfire policy and ``max_instances`` apply from the next fire on; other options
        from the one after it, unless ``when`` changes, too.

        Raises:
            UnknownSchedule: the store has none of that name.
            TypeError, InvalidValue, PayloadError: see add(); nothing was changed.

        >>> app.schedules.change("greeting", when=every(minutes=10)).words
        'every 10 minutes'
        """
        definition = find_definition(self._app.store, name)
        if definition is None:
            hint = "; that of the code is changed there" if name in self._app.fires.entries else ""
            raise UnknownSchedule(f"the store has no schedule named {name!r}{hint}")
        before = item_of(definition)
        old_when = before.pop("schedule")
        call = {"args": before.get("args", []), "kwargs": before.get("kwargs", {})}
        changed = _item(
            before["task"] if task is None else task,
            call["args"] if args is None else args,
            call["kwargs"] if kwargs is None else kwargs,
            {
                **before.get("options", {}),
                **{policy: before.get(policy) for policy in _POLICY},
                **{option: value for option, value in options.items() if value is not None},
                **({} if max_instances is None else {"max_instances": max_instances}),
            },
        )
        entry = self._checked(name, old_when if when is None else when, changed)
        return self._put(entry, changed, "replace")

    def pause(self, name: str) -> bool:
        """See Scheduler.pause_schedule."""
        return scheduling.pause_schedule(self._app, name)

    def resume(self, name: str) -> bool:
        """See Scheduler.resume_schedule."""
        return scheduling.resume_schedule(self._app, name)

    def run(self, name: str) -> AsyncResult[Any]:
        """See Scheduler.run_schedule."""
        return scheduling.run_schedule(self._app, name)

    def remove(self, name: str) -> bool:
        """See Scheduler.remove_schedule.

        >>> app.schedules.remove("greeting")
        True
        """
        return scheduling.remove_schedule(self._app, name)

    def _checked(self, name: str, when: object, item: Mapping[str, Any]) -> Entry:
        zone = self._app.timezone
        value = {**item, "schedule": checked_schedule(when).localized(zone)}
        return stored_entry(beat_entry(name, value, self._app.registry, zone, "schedules"))

    def _put(self, entry: Entry, item: Mapping[str, Any], on_conflict: OnConflict) -> Scheduled:
        app = self._app
        store, now_ms = app.store, app.clock.now_ms()
        held = app.fires.pending(store, entry)
        jobs = [definition_of(entry, item, now_ms)]
        if on_conflict == "raise" or held is None or held.fire is None or held.fire.spec != entry.schedule.spec:
            fire = self._first(entry, now_ms, held)
            if fire is None:
                raise InvalidValue.of("schedule", "one that fires from now on", entry.said)
            jobs.append(fire)
        try:
            store.add(jobs, now_ms, on_conflict=on_conflict)
        except DuplicateJob:
            raise InvalidValue.of("name", f"new: {self._holder(entry)}", entry.name) from None
        if held is not None and len(jobs) > 1:
            forget_unrun(store, [held.id])
        app.wake()
        return scheduling.scheduled(app, entry, store.paused())

    def _holder(self, entry: Entry) -> str:
        """Who has the name of a schedule that cannot be added."""
        if find_definition(self._app.store, entry.name) is not None:
            return "the store has a schedule of that name; change() or remove() it"
        held = self._app.fires.pending(self._app.store, entry)
        if held is not None and held.fire is not None and held.fire.stored:
            return "a run of a removed schedule of that name has not ended"
        return "the code of another process has a schedule of that name"

    def _first(self, entry: Entry, now_ms: int, held: Job | None) -> Job | None:
        """The next fire. One of a schedule that was removed before it came is no longer in the way."""
        store, at_ms = self._app.store, entry.after(now_ms)
        before = held.fire.before if held is not None and held.fire is not None else ()
        while at_ms is not None:
            fire = entry.fire(at_ms, now_ms, self._app, before=before)
            other = find(store, fire.id)
            if other is None or (other.finished and other.started_ms is None and store.forget([fire.id])):
                return fire
            at_ms = entry.after(at_ms)
        return None


def _item(task: object, args: object, kwargs: object, options: Mapping[str, Any]) -> dict[str, Any]:
    """What a definition keeps, in the form of an item of ``beat_schedule``."""
    name = task.name if isinstance(task, Task) else task
    if type(name) is not str:
        raise InvalidValue.of("task", "a task, or the name of one", task)
    given = {option: value for option, value in options.items() if value is not None}
    item = {
        "task": checked_name("task", name),
        "args": list(checked_args(args)),
        "kwargs": checked_kwargs(kwargs),
        "options": {option: value for option, value in given.items() if option not in _POLICY},
        **{option: value for option, value in given.items() if option in _POLICY},
    }
    return {part: value for part, value in item.items() if value not in ([], {})}
