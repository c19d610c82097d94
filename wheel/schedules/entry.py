"""Entry: a schedule and the call that it makes, and the rules for two entries with one name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from types import CodeType
from typing import TYPE_CHECKING, Any, Final

from ..clock import as_datetime
from ..errors import InvalidValue
from ..job import Fire, Job
from ..payload import decode_call
from ..safety.calm import CalmLogger
from ..tasks.carrier import Defaults
from ..tasks.options.plan import SCHEDULE_KEY, Plan
from ..tasks.registry import Registry
from .jitter import jittered
from .misfires import Policy
from .when import Schedule

if TYPE_CHECKING:
    from ..tasks.task import Task

LOG: Final = CalmLogger("hourwheel.schedules")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A schedule and the call that it makes."""

    name: str
    said: Schedule
    """The schedule as the user wrote it."""
    schedule: Schedule
    """The schedule in the scheduler's time zone."""
    task: str
    payload: str
    plan: Plan
    policy: Policy
    made_for: Task[..., Any] | None = None
    """The task object, if it was given. Reloading a module makes a new one of the same name."""
    body: CodeType | None = None
    """The code of the module that contains the schedule. Reloading a module makes a new one. None inside functions."""
    auto: bool = False
    """Whether the name was made from the call."""
    of_conf: bool = False
    """Whether it comes from the setting ``beat_schedule``."""
    stored: bool = False
    """Whether it is defined in the store."""
    late: Callable[[Plan], tuple[Plan, Policy]] | None = None
    """Computes the plan and policy from the task's plan, for a task that may be defined after the schedule."""

    @property
    def key(self) -> str:
        """The key of its pending fire."""
        return f"{SCHEDULE_KEY}{self.name}"

    @property
    def call(self) -> tuple[str, str]:
        """The name of the task and the encoded arguments."""
        return self.task, self.payload

    def after(self, ms: int) -> int | None:
        """Return the first fire later than ``ms``. A user's schedule that fails is logged and counts as having none."""
        try:
            found = jittered(self.schedule.after, getattr(self.schedule, "jitter_ms", 0), self.name, ms)
            if found is None or (type(found) is int and found > ms):
                return found
            LOG.error("Schedule %s does not fire: after(%d) must be later than that, got %r", self.name, ms, found)
        except Exception:
            LOG.exception("Schedule %s does not fire: its after() failed", self.name)
        return None

    def told_by(self, registry: Registry) -> Entry:
        """Return the entry with its task's options applied, if the task is defined by now."""
        if self.late is None or self.task not in registry:
            return self
        try:
            plan, policy = self.late(registry.get(self.task).plan)
            return replace(self, plan=plan, policy=policy)
        except InvalidValue as error:
            LOG.warning("Schedule %s ignores the options of its task: %s", self.name, error)
            return self

    def misfit(self, registry: Registry) -> str | None:
        """Why the task does not take the arguments; None if it does, or if it is not defined yet."""
        if self.late is None or self.task not in registry:
            return None
        args, kwargs = decode_call(self.payload)
        try:
            registry.get(self.task).check(*args, **kwargs)
        except TypeError as error:
            return str(error)
        return None

    def job(self, now_ns: int, carrier: Defaults) -> Job:
        """Return the call as a job that is due now."""
        plan = self.told_by(carrier.registry).plan
        plan = plan if carrier.routes is None else carrier.routes.place(self.task, plan)
        return plan.job(self.task, self.payload, now_ns, carrier.result_ttl_ms)

    def fire(self, at_ms: int, now_ms: int, carrier: Defaults, stands: int = 0, before: tuple[str, ...] = ()) -> Job:
        """Return the job of the fire at ``at_ms``, which replaces ``stands`` others that were missed.

        ``before``: the ids of earlier fires that have not ended, if the schedule has ``max_instances``.
        """
        job = self.job(now_ms * 1_000_000, carrier)
        return job._replace(
            id=f"{self.name}@{_moment(at_ms)}",
            key=self.key,
            due_ms=at_ms,
            expires_ms=None,
            grace_ms=None,
            latest_ms=None,
            fire=Fire(self.name, at_ms, self.schedule.spec, missed=stands, before=before, stored=self.stored),
        )


def alike(one: Entry, other: Entry) -> bool:
    """Whether two entries make the same call at the same times with the same options."""
    return (one.call, one.said.spec, one.plan, one.policy) == (other.call, other.said.spec, other.plan, other.policy)


def refuse_other(other: Entry, entry: Entry) -> None:
    """Refuse an entry that would silently replace another one of its name. Reloading a module may replace it."""
    same_place = other.of_conf == entry.of_conf and (other.made_for is None) == (entry.made_for is None)
    reloaded = other.task == entry.task and (
        entry.made_for is None or other.made_for is not entry.made_for or is_reload(other.body, entry.body)
    )
    if same_place and (other.call == entry.call or reloaded):
        return
    if (other.call, other.said.spec) != (entry.call, entry.said.spec):
        where = " in beat_schedule" if other.of_conf else ""
        raise InvalidValue.of(
            "name",
            f"unique: a schedule of {other.task}{where} has it; pass another name=, or call remove_schedule() first",
            entry.name,
        )


def is_reload(before: CodeType | None, now: CodeType | None, *, lines: bool = True) -> bool:
    """Whether a file was executed again. ``lines``: also for another line of a console, which is code of its own."""
    if before is None or now is None or before is now or before.co_filename != now.co_filename:
        return False
    return lines or not now.co_filename.startswith("<")


def upcoming(entry: Entry, from_ms: int, until_ms: int) -> Iterator[int]:
    """Yield the fires after ``from_ms`` and up to ``until_ms``."""
    at_ms = entry.after(from_ms)
    while at_ms is not None and at_ms <= until_ms:
        yield at_ms
        at_ms = entry.after(at_ms)


def _moment(at_ms: int) -> str:
    moment = as_datetime(at_ms)
    return moment.strftime("%Y-%m-%dT%H:%M:%S") + (f".{at_ms % 1000:03}" if at_ms % 1000 else "") + "Z"
