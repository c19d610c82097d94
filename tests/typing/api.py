"""What type checkers are to say of the API. Only mypy (strict) and basedpyright read the files of this folder.

A line that is to be refused has an ignore, and an ignore that is not needed is an error for both.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, assert_type

from hourwheel import AsyncResult, Call, Found, Job, Scheduler, Task, task

app = Scheduler("tasks.json")


@app.task
def remind(user_id: int, text: str = "", *, urgent: bool = False) -> str:
    return text


@app.task()
def empty() -> None: ...


@app.task(name="mail.send", countdown=5, queue="mail", priority=3, max_retries=None, aliases=["old.send"])
def send(address: str) -> int:
    return len(address)


@app.task(bind=True, max_retries=5)
def bound(self: Task[..., Any], number: int) -> float:
    assert_type(self.job, Job | None)
    return number / 2


@task
def shared(number: int) -> list[int]:
    return [number]


@task(expires=timedelta(hours=1), result_ttl=60.5, acks_early=True, key="one", on_conflict="replace")
def shared_with_options(number: int) -> bytes:
    return b""


# ---- what a decorator makes

assert_type(empty, Task[[], None])
assert_type(send("a"), int)
assert_type(bound(4), float)
assert_type(shared(1), list[int])
assert_type(remind(1, "x", urgent=True), str)

# ---- ways to call later

assert_type(remind.delay(1, "x"), AsyncResult[str])
assert_type(remind.delay(user_id=1, urgent=True), AsyncResult[str])
assert_type(remind.delay(1, "x", countdown=900), AsyncResult[str])
assert_type(remind.delay(1, "x", countdown=timedelta(minutes=15)), AsyncResult[str])
assert_type(remind.delay(1, eta=datetime.now(UTC)), AsyncResult[str])
call: Call[..., str] = remind.after(900)
assert_type(remind.after(0.5).delay(1, text="x"), AsyncResult[str])
assert_type(remind.at(datetime.now(UTC)).delay(1), AsyncResult[str])
assert_type(remind.options(queue="mail", priority=1, task_id="a").after(1).delay(1), AsyncResult[str])
assert_type(remind.apply_async((1, "x"), {"urgent": True}, countdown=1, expires=datetime.now(UTC)), AsyncResult[str])
assert_type(remind.apply_async(args=[1], kwargs=None, eta=None), AsyncResult[str])
assert_type(empty.delay(), AsyncResult[None])
assert_type(bound.delay(4), AsyncResult[float])
assert_type(shared_with_options.after(1).delay(number=1), AsyncResult[bytes])

# ---- results

result = remind.delay(1)
assert_type(result.get(), str)
assert_type(result.get(timeout=5), str)
assert_type(result.id, str)
assert_type(result.task_id, str)
assert_type(result.state, str)
assert_type(result.ready(), bool)
assert_type(result.traceback, str | None)
assert_type(result.cancel(), Found)
assert_type(result.reschedule(countdown=60), Found)
assert_type(result.reschedule(eta=datetime.now(UTC)), Found)
assert_type(result.job(), Job | None)
wider: AsyncResult[object] = result

# ---- what is to be refused

remind("1")  # type: ignore[arg-type]
remind()  # type: ignore[call-arg]
remind.delay("1")  # type: ignore[call-overload]
remind.delay(1, 2)  # type: ignore[call-overload]
remind.delay()  # type: ignore[call-overload]
remind.delay(1, wrong=1)  # type: ignore[call-overload]
remind.delay(1, countdown="soon")  # type: ignore[call-overload]
remind.after(900).delay("1")  # type: ignore[call-overload]
remind.after("soon")  # type: ignore[arg-type]
remind.at(900)  # type: ignore[arg-type]
remind.options(quue="mail")  # type: ignore[call-arg]
remind.options(priority="high")  # type: ignore[arg-type]
remind.apply_async((1,), countdwon=1)  # type: ignore[call-arg]
remind.apply_async((1,), on_conflict="ignore")  # type: ignore[arg-type]
empty.delay(1)  # type: ignore[call-overload]
bound.delay()  # type: ignore[call-overload]
result.reschedule(60)  # type: ignore[call-arg]
result.get().nothing  # type: ignore[attr-defined]
app.task(1)  # type: ignore[call-overload]
app.task(nmae="x")  # type: ignore[call-overload]


async def coroutine() -> None:
    assert_type(await remind.adelay(1, "x"), AsyncResult[str])
    assert_type(await remind.after(5).adelay(1, urgent=True), AsyncResult[str])
    assert_type(await remind.delay(1).aget(timeout=5), str)
    await remind.adelay("1")  # type: ignore[arg-type]
