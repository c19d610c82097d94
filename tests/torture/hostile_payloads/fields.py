"""Everything else that a caller can say of a call: options of every type, through the public way and into a store."""

from __future__ import annotations

import random
import warnings
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from hourwheel import Scheduler
from hourwheel.errors import DuplicateJob, HourwheelError, InvalidValue, PayloadError
from hourwheel.job import Job
from hourwheel.store import MemoryStore
from hourwheel.store.codec import decode_job, encode_job
from hourwheel.store.fields import refuse_unsound

from tests.kit.jobs import NOW
from tests.torture.report import Report

from .values import Colour, Evil, Name, Number, bad, sound, text

_OPTIONS: Final = (
    *("task_id", "key", "queue", "priority", "countdown", "eta", "expires", "on_conflict", "acks_early", "result_ttl"),
    *("option", "self", "task", "args", "__class__", ""),
)
_OUR_REFUSALS: Final = (InvalidValue, PayloadError, DuplicateJob, TypeError)
"""TypeError is Python's own for a call that cannot be, such as an option given twice."""
_EVERY_FIELD: Final = Job._fields


def options(report: Report, choose: random.Random, count: int) -> None:
    """apply_async with odd options: refused before anything is stored, or the job is stored just so and reads back."""
    store = MemoryStore()
    app = Scheduler(store)

    @app.task(name="hostile.task")
    def task(*args: Any, **kwargs: Any) -> None: ...

    try:
        for number in range(count):
            report.cases += 1
            said = {choose.choice(_OPTIONS): _odd(choose) for _ in range(choose.randrange(1, 4))}
            _call(report, store, task, said, choose, f"options {number}: {_shown(said)}")
            if number % 2_000 == 1_999:
                report.demand(store.check() == [], f"after options {number}: {store.check()[:2]}")
                store._state = MemoryStore()._state
    finally:
        app.close()


def _call(
    report: Report, store: MemoryStore, task: Any, said: dict[str, Any], choose: random.Random, what: str
) -> None:
    before = store._state.counts.accepted
    args = (sound(choose, 1),)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result = task.apply_async(args, **said)
        job = store.get([result.id])[0]
    except _OUR_REFUSALS as error:
        report.demand(store._state.counts.accepted == before, f"{what}: refused, but stored: {error!r:.100}")
        return
    except Exception as error:
        report.wrong(f"{what}: an error that is not ours: {type(error).__name__}")
        return
    report.demand(job is not None and _reads_back(job), f"{what}: the job that is stored is not the one that is read")


def jobs(report: Report, choose: random.Random, count: int) -> None:
    """Jobs made by hand, with odd fields: Store.add refuses them as an HourwheelError, or they read back as they are."""
    store = MemoryStore()
    for number in range(count):
        report.cases += 1
        job = Job(id=f"j{number}", task="t", due_ms=NOW)
        changed = {choose.choice(_EVERY_FIELD): _odd(choose) for _ in range(choose.randrange(1, 3))}
        job = job._replace(**changed)
        what = f"job {number} with {_shown(changed)}"
        try:
            refuse_unsound(job)
            store.add([job], NOW)
        except HourwheelError:
            continue
        except Exception as error:
            report.wrong(f"{what}: an error that is not ours: {type(error).__name__}: {error!s:.100}")
            continue
        report.demand(_reads_back(job), f"{what}: stored, but reads back otherwise")


def _reads_back(job: Job) -> bool:
    try:
        return decode_job(encode_job(job).encode("ascii")) == job
    except Exception:
        return False


def _odd(choose: random.Random) -> Any:
    match choose.randrange(7):
        case 0:
            return text(choose)
        case 1:
            return bad(choose)
        case 2:
            return sound(choose, 1)
        case 3:
            return choose.choice(
                (text(choose) * 60, "a" * 10_000, "A1-._:@/+", " ", "..", "/etc/passwd", "a\nb", "\u0661")
            )
        case 4:
            return choose.choice((0, 1, -1, 100, 101, -101, 2**31, 2**63, 10**400, 1e308, -1e308, 0.001, 5e-324))
        case 5:
            return choose.choice(
                (Colour.RED, Name("x"), Number(1.0), UUID(int=5), Evil, "keep", "replace", "raise", True)
            )
    return choose.choice((datetime(2030, 1, 1, tzinfo=UTC), datetime.max, datetime.min, timedelta.max, timedelta(-1)))


def _shown(said: dict[str, Any]) -> str:
    try:
        return f"{said!r:.300}"
    except Exception:
        return f"{list(said)} of {[type(value).__name__ for value in said.values()]}"
