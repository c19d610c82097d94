"""Entry: one schedule of a scheduler and the call that it makes; which two of them are the same one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from types import CodeType
from typing import TYPE_CHECKING, Any, Final

from ..clock import as_datetime
from ..errors import InvalidValue
from ..job import DEFAULT_RESULT_TTL_MS, Fire, Job
from ..payload import decode_call
from ..safety.calm import CalmLogger
from ..tasks.carrier import Defaults
from ..tasks.options.plan import SCHEDULE_KEY, Plan
from ..tasks.options.routes import Routes
from ..tasks.registry import Registry
from .misfires import Policy
from .when import Schedule

if TYPE_CHECKING:
    from ..tasks.task import Task

LOG: Final = CalmLogger("hourwheel.schedules")


@dataclass(frozen=True, slots=True)
class NoDefaults:
    """Where no scheduler says anything."""

    result_ttl_ms: int = DEFAULT_RESULT_TTL_MS
    routes: Routes | None = None
    registry: Registry = field(default_factory=Registry)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A schedule, and the call that it makes."""

    name: str
    said: Schedule
    """As it was written."""
    schedule: Schedule
    """The same in the scheduler's zone."""
    task: str
    payload: str
    plan: Plan
    policy: Policy
    made_for: Task[..., Any] | None = None
    """The task itself, where it is in the code: a module that is reloaded makes another one of the same name."""
    body: CodeType | None = None
    """The module in which it is written, as code; a module that is reloaded has another one. None inside functions."""
    auto: bool = False
    """Whether its name was made from the call."""
    of_conf: bool = False
    """Whether it stands in the setting ``beat_schedule``."""
    late: Callable[[Plan], tuple[Plan, Policy]] | None = None
    """What holds for its calls, by what a task says of all of its own that may be defined after it."""

    @property
    def key(self) -> str:
        """The key of its pending fire."""
        return f"{SCHEDULE_KEY}{self.name}"

    @property
    def call(self) -> tuple[str, str]:
        """What it calls."""
        return self.task, self.payload

    def after(self, ms: int) -> int | None:
        """Its first fire later than an instant. A schedule of somebody else's that fails has none for the moment."""
        try:
            found = self.schedule.after(ms)
            if found is None or (type(found) is int and found > ms):
                return found
            LOG.error("Schedule %s does not fire: after(%d) gave %r, which is no later instant", self.name, ms, found)
        except Exception:
            LOG.exception("Schedule %s does not fire: it cannot say when", self.name)
        return None

    def told_by(self, registry: Registry) -> Entry:
        """The same with what its task says of all its calls."""
        if self.late is None or self.task not in registry:
            return self
        try:
            plan, policy = self.late(registry.get(self.task).plan)
            return replace(self, plan=plan, policy=policy)
        except InvalidValue as error:
            LOG.warning("Schedule %s does without what its task says: %s", self.name, error)
            return self

    def misfit(self, registry: Registry) -> str | None:
        """Why its arguments do not fit a task that was defined after it; None if they do, or there is none yet."""
        if self.late is None or self.task not in registry:
            return None
        args, kwargs = decode_call(self.payload)
        try:
            registry.get(self.task).check(*args, **kwargs)
        except TypeError as error:
            return str(error)
        return None

    def job(self, now_ns: int, carrier: Defaults) -> Job:
        """The call, due at once."""
        plan = self.told_by(carrier.registry).plan
        plan = plan if carrier.routes is None else carrier.routes.place(self.task, plan)
        return plan.job(self.task, self.payload, now_ns, carrier.result_ttl_ms)

    def fire(self, at_ms: int, now_ms: int, carrier: Defaults, stands: int = 0) -> Job:
        """The job of the fire at an instant, which may stand for others that were missed."""
        job = self.job(now_ms * 1_000_000, carrier)
        return job._replace(
            id=f"{self.name}@{_moment(at_ms)}",
            key=self.key,
            due_ms=at_ms,
            expires_ms=None,
            grace_ms=None,
            latest_ms=None,
            fire=Fire(self.name, at_ms, self.schedule.spec, missed=stands),
        )


def alike(one: Entry, other: Entry) -> bool:
    """Whether two make the same call at the same times, in the same way."""
    return (one.call, one.said.spec, one.plan, one.policy) == (other.call, other.said.spec, other.plan, other.policy)


def refuse_other(other: Entry, entry: Entry) -> None:
    """Refuse a schedule under the name of another one, which would be lost. After a reload it takes its place."""
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
            f"unique: a schedule of {other.task}{where} has it, so give another name=, or remove_schedule() that one",
            entry.name,
        )


def is_reload(before: CodeType | None, now: CodeType | None, *, lines: bool = True) -> bool:
    """Whether a file was run once more; ``lines``: or another line of a console, where each is code of its own."""
    if before is None or now is None or before is now or before.co_filename != now.co_filename:
        return False
    return lines or not now.co_filename.startswith("<")


def upcoming(entry: Entry, from_ms: int, until_ms: int) -> Iterator[int]:
    """The instants at which a schedule fires after ``from_ms`` and up to ``until_ms``."""
    at_ms = entry.after(from_ms)
    while at_ms is not None and at_ms <= until_ms:
        yield at_ms
        at_ms = entry.after(at_ms)


def _moment(at_ms: int) -> str:
    moment = as_datetime(at_ms)
    return moment.strftime("%Y-%m-%dT%H:%M:%S") + (f".{at_ms % 1000:03}" if at_ms % 1000 else "") + "Z"
