"""Turn schedules as users write them, in code or in Celery's ``beat_schedule`` dict, into entries."""

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

NO_TIME: Final = "left out of a schedule: the schedule says when to run"
_LONGEST_NAME: Final = 150
_BEAT: Final = ("task", "schedule", "args", "kwargs", "options", "misfire", "misfire_grace_time", "max_instances")


@dataclass(frozen=True, slots=True)
class Draft:
    """The call that a schedule makes, with its options."""

    task: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    plan: Plan
    misfire: str | None = None
    grace: float | timedelta | None = None
    max_instances: int | None = None

    @property
    def name(self) -> str:
        """A name made from the call, the same in every process: ``shop.remind(7)``, as in Celery."""
        shown = [*map(repr, self.args), *(f"{name}={value!r}" for name, value in self.kwargs.items())]
        if not shown:
            return self.task
        name = f"{self.task}({', '.join(shown)})"
        if len(name) <= _LONGEST_NAME and name.isprintable():
            return name
        return f"{self.task}({blake2b(self.payload.encode(), digest_size=6).hexdigest()})"

    @property
    def payload(self) -> str:
        """The arguments, encoded as the store keeps them."""
        return encode_call(self.args, self.kwargs)

    def entry(self, name: str, schedule: object, zone: tzinfo) -> Entry:
        """Return the entry with that name and schedule, in a time zone."""
        said = checked_schedule(schedule)
        return Entry(
            name=name,
            said=said,
            schedule=said.localized(zone),
            task=self.task,
            payload=self.payload,
            plan=self.plan,
            policy=policy_of(self.plan, self.misfire, self.grace, self.max_instances),
        )


def checked_schedule(schedule: object) -> Schedule:
    """Return a schedule; a number of seconds or a timedelta becomes ``every(...)``."""
    if isinstance(schedule, (int, float, timedelta)) and type(schedule) is not bool:
        return every(schedule)
    able = callable(getattr(schedule, "after", None)) and callable(getattr(schedule, "localized", None))
    if not able or type(getattr(schedule, "spec", None)) is not str or isinstance(schedule, type):
        rule = "hourwheel's every(...) or crontab(...), or a number of seconds"
        if callable(schedule):
            rule += " (it comes first, as in @app.periodic(every(minutes=5)) and add_periodic_task(300, task))"
        raise InvalidValue.of("schedule", rule, schedule)
    return schedule  # type: ignore[return-value]


def checked_args(args: object) -> tuple[Any, ...]:
    """Return a list or tuple of arguments as a tuple. Text is refused, so that "ab" does not become ("a", "b")."""
    if args is None:
        return ()
    if not isinstance(args, (list, tuple)):
        raise InvalidValue.of("args", "a list or tuple, such as (16,)", args)
    return tuple(args)


def checked_kwargs(kwargs: object) -> dict[str, Any]:
    """Return keyword arguments, by names, as a dict."""
    if kwargs is None or kwargs == ():
        return {}
    if not isinstance(kwargs, Mapping) or not all(type(name) is str for name in kwargs):
        raise InvalidValue.of("kwargs", "a dict of keyword arguments", kwargs)
    return dict(kwargs)


def schedule_plan(plan: Plan, options: Mapping[str, Any]) -> Plan:
    """Return the plan of a schedule's calls: the task's plan, changed by the schedule's options."""
    for name in ("countdown", "eta"):
        if options.get(name) is not None:
            raise InvalidValue.of(name, NO_TIME, options[name])
    plan = plan.but({name: value for name, value in options.items() if name not in ("countdown", "eta")})
    if plan.link or plan.link_error:
        raise InvalidValue.of("link and link_error", "left out of a schedule", plan.link or plan.link_error)
    if plan.key is not None or plan.task_id is not None:
        raise InvalidValue.of("key and task_id", "left out of a schedule: each fire gets its own", plan.key)
    if plan.said & {"on_conflict", "max_wait"}:
        rule = "left out of a schedule: its fires replace no other jobs"
        raise InvalidValue.of("on_conflict and max_wait", rule, plan.on_conflict)
    plan.refuse_idle()
    return plan


def beat_entry(name: object, value: object, registry: Registry, zone: tzinfo, where: str = "beat_schedule") -> Entry:
    """Return the entry for one item of ``beat_schedule``. Its task may be defined later; its options are read then.

    ``where``: what the items are called in errors.

    Raises:
        InvalidValue: the item is not valid.
        TypeError: the task is defined and does not take these arguments.
    """
    where = f"{where}[{name!r}]"
    if not isinstance(value, Mapping) or "task" not in value or "schedule" not in value:
        raise InvalidValue.of(where, "a dict with task and schedule", value)
    for key in value:
        if key not in _BEAT:
            raise InvalidValue.of(where, f"made of {', '.join(_BEAT)}", key)
    task = value["task"].name if isinstance(value["task"], Task) else value["task"]
    if type(task) is not str or not task:
        raise InvalidValue.of(f"{where}['task']", "a task, or the name of one", value["task"])
    args, kwargs = checked_args(value.get("args")), checked_kwargs(value.get("kwargs"))
    known = registry.get(task) if task in registry else None
    if known is not None:
        known.check(*args, **kwargs)
    misfire, grace, most = (value.get(name) for name in ("misfire", "misfire_grace_time", "max_instances"))
    draft = Draft(task, args, kwargs, Plan(), misfire, grace, most)
    options_of = partial(_with_options, draft, dict(value.get("options") or {}))
    plan, _ = options_of(registry.plan if known is None else known.plan)
    entry = replace(draft, plan=plan).entry(checked_name("name", name), value["schedule"], zone)
    return replace(entry, late=options_of)


def _with_options(draft: Draft, options: Mapping[str, Any], plan: Plan) -> tuple[Plan, Policy]:
    """The plan and misfire policy of a schedule, given its task's plan."""
    plan = schedule_plan(plan, options)
    return plan, policy_of(plan, draft.misfire, draft.grace, draft.max_instances)
