"""``async def`` tasks, and waiting in coroutines: the result of a job is what the coroutine returns."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from datetime import UTC, datetime
from typing import Any, assert_type

from hourwheel import AsyncResult, Call, Job, Results, Scheduler, Signature, Task, chain, group, task

app = Scheduler("tasks.json")


@app.task
async def fetch(url: str, headers: dict[str, Any] | None = None) -> bytes:
    return url.encode()


@app.task(bind=True, max_retries=5)
async def bound(self: Task[..., Any], url: str) -> int | None:
    await asyncio.sleep(1)
    raise self.retry(countdown=5)


@task
async def shared(number: int) -> dict[str, Any]:
    return {"number": number}


@task(queue="mail")
async def nothing() -> None: ...


@app.task
def anything(number: int) -> Any:  # pyright: ignore[reportAny]
    return number


# ---- ways to call later

result: AsyncResult[bytes] = fetch.delay("x")
assert_type(fetch.delay("x", {"a": 1}), AsyncResult[bytes])
assert_type(fetch.delay("x", countdown=5), AsyncResult[bytes])
assert_type(fetch.delay("x", eta=datetime.now(UTC)), AsyncResult[bytes])
assert_type(fetch.apply_async(("x",), countdown=5), AsyncResult[bytes])
assert_type(fetch.after(5).delay("x"), AsyncResult[bytes])
assert_type(fetch.at(datetime.now(UTC)).options(queue="mail").delay(url="x"), AsyncResult[bytes])
assert_type(fetch.delay_on_commit("x"), AsyncResult[bytes])
assert_type(fetch.delay_on_commit("x", countdown=5), AsyncResult[bytes])
assert_type(fetch.apply_async_on_commit(("x",), using="other"), AsyncResult[bytes])
assert_type(fetch.options(key="x").pending(), AsyncResult[bytes] | None)
assert_type(fetch.delay("x").get(timeout=5), bytes)
assert_type(bound.delay("x"), AsyncResult[int | None])
assert_type(bound.after(5).delay("x").get(), int | None)
assert_type(shared.delay(1), AsyncResult[dict[str, Any]])
assert_type(nothing.delay(), AsyncResult[None])
assert_type(anything.delay(1), AsyncResult[Any])
assert_type(app.schedule_many(fetch, [(("x",), {}), (["y"], {"headers": None})], countdown=5), Results[bytes])
call: Call[..., Awaitable[bytes]] = fetch.after(5)

# ---- canvas

assert_type(fetch.s("x"), Signature[bytes])
assert_type(fetch.si("x").delay(), AsyncResult[bytes])
assert_type(fetch.signature(("x",), queue="mail"), Signature[bytes])
assert_type(chain(bound.s("x"), fetch.si("x")).delay(), AsyncResult[bytes])
assert_type(group(fetch.s(url) for url in "ab").delay().get(), list[bytes])


# ---- in coroutines


async def main() -> None:
    assert_type(await fetch("x"), bytes)  # here and now
    assert_type(await fetch.adelay("x"), AsyncResult[bytes])
    assert_type(await fetch.after(5).adelay("x"), AsyncResult[bytes])
    assert_type(await fetch.aapply_async(("x",), countdown=5), AsyncResult[bytes])
    assert_type(await fetch.delay("x").aget(timeout=5), bytes)
    assert_type(await fetch.delay("x").ajob(), Job | None)
    assert_type(await app.schedule_many(fetch, [(("x",), {})]).aget(), list[bytes])
    assert_type(await asyncio.gather(*(fetch.adelay(url) for url in "ab")), list[AsyncResult[bytes]])
    await fetch.delay("x")  # type: ignore[misc]
    await fetch.adelay(1)  # type: ignore[call-overload]
    await fetch.aapply_async(("x",), countdwon=5)  # type: ignore[call-overload]


# ---- what is to be refused

fetch.delay(1)  # type: ignore[call-overload]
fetch.delay()  # type: ignore[call-overload]
fetch.after(5).delay("x", wrong=1)  # type: ignore[call-overload]
bound.delay()  # type: ignore[call-overload]
fetch.delay("x").get().nothing  # type: ignore[attr-defined]
wrong: AsyncResult[str] = fetch.delay("x")  # type: ignore[assignment]
