"""Happenings: everything that is done to a simulated world, each at its moment. A history is a list of them.

They are drawn before the world begins, and are plain values: so a history can be written down, cut shorter and
played again. ``at_ms`` is the time since the world began, whatever is done to its wall clock.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any, Final, Literal, get_args

from hourwheel.contract import OnConflict

Fate = Literal["succeed", "fail", "retry"]
Moment = Literal["now", "before claim", "after claim", "before settle", "after settle"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Add:
    """A producer adds jobs in one call, in the process of a node, which is told of what is due soon."""

    at_ms: int
    id: str
    delay_ms: int = 0
    """Due so long after the wall's present; negative for what is overdue already."""
    count: int = 1
    """With more than one the ids are ID.0, ID.1 ..."""
    node: int = 0
    task: str = "job"
    key: str | None = None
    on_conflict: OnConflict = "keep"
    priority: int = 0
    expires_ms: int | None = None
    """Expires so long after its due instant."""
    max_crashes: int = 3
    runs_ms: int = 100
    """How long each run takes."""
    fate: Fate = "succeed"
    """What comes of a run; "retry" fails once and succeeds then."""
    retry_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel:
    """Somebody cancels a job, whatever has become of it."""

    at_ms: int
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reschedule:
    """Somebody moves a job."""

    at_ms: int
    id: str
    delay_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Crash:
    """A node is killed: now, or in the midst of its next call of a verb. It comes back under a new name."""

    at_ms: int
    node: int
    down_ms: int
    moment: Moment = "now"


@dataclass(frozen=True, slots=True, kw_only=True)
class Drain:
    """A node is stopped in order, as for a deployment, and is started again."""

    at_ms: int
    node: int
    down_ms: int
    timeout_ms: int = 30_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """A node stands still, workers and all (a suspended machine, SIGSTOP, a long collection), and goes on."""

    at_ms: int
    node: int
    lasts_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Disown:
    """A node is taken for dead although it lives: its claims of this moment are free for others."""

    at_ms: int
    node: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CutOff:
    """A node does not reach the store for a while; with ``answer`` only the answers do not reach the node."""

    at_ms: int
    node: int
    lasts_ms: int
    answer: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SetClock:
    """The wall clock is set forwards or back."""

    at_ms: int
    by_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Fail:
    """The store refuses for a while; with ``answer`` it does what it is asked, and only its answer is lost."""

    at_ms: int
    lasts_ms: int
    answer: bool = False


Happening = Add | Cancel | Reschedule | Crash | Drain | Pause | Disown | CutOff | SetClock | Fail

_KINDS: Final[dict[str, Any]] = {kind.__name__: kind for kind in get_args(Happening)}


def as_document(happening: Happening) -> dict[str, Any]:
    """A happening as a JSON object, without what is at its default."""
    defaults = {field.name: field.default for field in fields(happening)}
    said = {name: value for name, value in asdict(happening).items() if value != defaults[name]}
    return {"do": type(happening).__name__, **said}


def of_document(document: dict[str, Any]) -> Happening:
    """The reverse of as_document."""
    rest = dict(document)
    made: Happening = _KINDS[rest.pop("do")](**rest)
    return made


def in_words(happening: Happening) -> str:
    """A happening as a line for people."""
    document = as_document(happening)
    kind, at_ms = document.pop("do"), document.pop("at_ms")
    return f"{clock_face(at_ms)}  {kind} " + " ".join(f"{name}={value}" for name, value in document.items())


def clock_face(ms: int) -> str:
    """A time of the world, as hours, minutes, seconds."""
    hours, rest = divmod(ms, 3_600_000)
    minutes, rest = divmod(rest, 60_000)
    return f"{hours}:{minutes:02}:{rest // 1000:02}.{rest % 1000:03}"
