"""Beat: schedules as users write them, in code and in Celery's dict, made into entries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta, tzinfo
from functools import partial
from hashlib import blake2b
from typing import Any, Final

from ..errors import InvalidValue
from ..payload import encode_call
from ..tasks.naming import checked_name
from ..tasks.options.plan import Plan
from ..tasks.registry import Registry
from ..tasks.task import Task
from .entry import Entry
from .misfires import Policy, policy_of
from .when import Schedule, every

NO_TIME: Final = "absent from a schedule, which says itself when its calls are due"
_LONGEST_NAME: Final = 150
_BEAT: Final = ("task", "schedule", "args", "kwargs", "options", "misfire", "misfire_grace_time")


@dataclass(frozen=True, slots=True)
class Draft:
    """The call of a schedule, and what is said of it."""

    task: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    plan: Plan
    misfire: str | None = None
    grace: float | timedelta | None = None

    @property
    def name(self) -> str:
        """A name that tells it from other calls, the same in every process: ``shop.remind(7)``, as Celery has it."""
        shown = [*map(repr, self.args), *(f"{name}={value!r}" for name, value in self.kwargs.items())]
        if not shown:
            return self.task
        name = f"{self.task}({', '.join(shown)})"
        if len(name) <= _LONGEST_NAME and name.isprintable():
            return name
        return f"{self.task}({blake2b(self.payload.encode(), digest_size=6).hexdigest()})"

    @property
    def payload(self) -> str:
        """The arguments as they are stored."""
        return encode_call(self.args, self.kwargs)

    def entry(self, name: str, schedule: object, zone: tzinfo) -> Entry:
        """The entry of that name, in a zone.

        Raises:
            InvalidValue: something breaks its rule.
        """
        said = checked_schedule(schedule)
        return Entry(
            name=name,
            said=said,
            schedule=said.localized(zone),
            task=self.task,
            payload=self.payload,
            plan=self.plan,
            policy=policy_of(self.plan, self.misfire, self.grace),
        )


def checked_schedule(schedule: object) -> Schedule:
    """Something that can be asked for its next instant.

    Raises:
        InvalidValue: it is none.
    """
    if isinstance(schedule, (int, float, timedelta)) and type(schedule) is not bool:
        return every(schedule)
    able = callable(getattr(schedule, "after", None)) and callable(getattr(schedule, "localized", None))
    if not able or type(getattr(schedule, "spec", None)) is not str or isinstance(schedule, type):
        raise InvalidValue.of("schedule", "hourwheel's every(...) or crontab(...), or a number of seconds", schedule)
    return schedule  # type: ignore[return-value]


def checked_args(args: object) -> tuple[Any, ...]:
    """Positional arguments: text is no list of letters.

    Raises:
        InvalidValue: they are none.
    """
    if args is None:
        return ()
    if not isinstance(args, (list, tuple)):
        raise InvalidValue.of("args", "a list or tuple, such as (16,)", args)
    return tuple(args)


def checked_kwargs(kwargs: object) -> dict[str, Any]:
    """Arguments by name.

    Raises:
        InvalidValue: they are none.
    """
    if kwargs is None or kwargs == ():
        return {}
    if not isinstance(kwargs, Mapping) or not all(type(name) is str for name in kwargs):
        raise InvalidValue.of("kwargs", "a dict of arguments by name", kwargs)
    return dict(kwargs)


def schedule_plan(plan: Plan, options: Mapping[str, Any]) -> Plan:
    """The plan of a schedule's calls: that of its task with the options of the schedule.

    Raises:
        InvalidValue: an option breaks its rule, or cannot be said of calls that repeat.
    """
    for name in ("countdown", "eta"):
        if options.get(name) is not None:
            raise InvalidValue.of(name, NO_TIME, options[name])
    plan = plan.but({name: value for name, value in options.items() if name not in ("countdown", "eta")})
    if plan.link or plan.link_error:
        raise InvalidValue.of("link and link_error", "absent from a schedule", plan.link or plan.link_error)
    if plan.key is not None or plan.task_id is not None:
        raise InvalidValue.of("key and task_id", "absent from a schedule, whose fires have their own", plan.key)
    if plan.said & {"on_conflict", "max_wait"}:
        raise InvalidValue.of(
            "on_conflict and max_wait", "absent from a schedule, whose fires have no key", plan.on_conflict
        )
    plan.refuse_idle()
    return plan


def beat_entry(name: object, told: object, registry: Registry, zone: tzinfo) -> Entry:
    """The entry of a schedule in Celery's dict. Its task may be defined later: what it says is looked up when needed.

    Raises:
        InvalidValue: it cannot be read.
        TypeError: the task is known, and the arguments do not fit it.
    """
    where = f"beat_schedule[{name!r}]"
    if not isinstance(told, Mapping) or "task" not in told or "schedule" not in told:
        raise InvalidValue.of(where, "a dict with task and schedule", told)
    for key in told:
        if key not in _BEAT:
            raise InvalidValue.of(where, f"made of {', '.join(_BEAT)}", key)
    task = told["task"].name if isinstance(told["task"], Task) else told["task"]
    if type(task) is not str or not task:
        raise InvalidValue.of(f"{where}['task']", "a task, or the name of one", told["task"])
    args, kwargs = checked_args(told.get("args")), checked_kwargs(told.get("kwargs"))
    known = registry.get(task) if task in registry else None
    if known is not None:
        known.check(*args, **kwargs)
    draft = Draft(task, args, kwargs, Plan(), told.get("misfire"), told.get("misfire_grace_time"))
    late = partial(_told_by, draft, dict(told.get("options") or {}))
    plan, _ = late(Plan() if known is None else known.plan)
    return replace(replace(draft, plan=plan).entry(checked_name("name", name), told["schedule"], zone), late=late)


def _told_by(draft: Draft, options: Mapping[str, Any], plan: Plan) -> tuple[Plan, Policy]:
    """What holds for the calls of a task that says ``plan`` of all of them."""
    plan = schedule_plan(plan, options)
    return plan, policy_of(plan, draft.misfire, draft.grace)
