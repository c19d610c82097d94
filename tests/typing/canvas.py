"""Calls that belong together."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, assert_type
from uuid import UUID

from hourwheel import AsyncResult, Results, Scheduler, Signature, as_completed, chain, chord, group

app = Scheduler("tasks.json")


@app.task
def add(one: int, other: int = 0) -> int:
    return one + other


@app.task
def total(numbers: list[int]) -> float:
    return sum(numbers)


@app.task
def show(value: object) -> str:
    return str(value)


# ---- signatures

assert_type(add.s(1, 2), Signature[int])
assert_type(add.si(1, other=2).set(queue="mail", countdown=5), Signature[int])
assert_type(add.signature((1,), {"other": 2}, immutable=True), Signature[int])
assert_type(add.s(1).delay(2), AsyncResult[int])
assert_type(add.s(1).clone((2,)).apply_async(countdown=5).get(), int)

# ---- chains have the result of their last part

assert_type(chain(add.s(1, 2), add.s(3)).delay(), AsyncResult[int])
assert_type(chain(add.s(1, 2), add.s(3), add.s(4), show.s()).delay().get(timeout=5), str)
assert_type(chain(add.s(1, 2), group(show.s(), show.s())).delay(), Results[str])
assert_type((add.s(1, 2) | show.s()).delay(), AsyncResult[str])
assert_type((add.s(1, 2) | add.s(3) | show.s()).apply_async(countdown=5, link=show.s()), AsyncResult[str])
assert_type(chain(add.s(1), show.s())(), AsyncResult[str])
assert_type(chain(*[add.s(n) for n in range(3)]).delay().get(), int)
assert_type(chain([add.s(1), add.s(2)]).delay(), Any)

# ---- groups have the results of all

assert_type(group(add.s(1, 2), add.s(3, 4)).delay(), Results[int])
assert_type(group(add.s(n, n) for n in range(3)).delay().get(timeout=5), list[int])
assert_type(group([add.s(n) | show.s() for n in range(3)]).apply_async(countdown=5), Results[str])
assert_type(group(add.s(1), group(add.s(2), add.s(3))).delay(), Results[int])
assert_type(group(add.s(1)).set(queue="mail").delay()[0], AsyncResult[int])

# ---- chords have the result of their body

assert_type(chord([add.s(n) for n in range(3)], total.s()).delay(), AsyncResult[float])
assert_type(chord(add.s(n) for n in range(3))(total.s()), AsyncResult[float])
assert_type(chord(group(add.s(1), add.s(2)), total.s() | show.s()).delay().get(), str)
assert_type((group(add.s(1), add.s(2)) | total.s()).delay().get(), float)

# ---- what is called when a job has ended

add.apply_async((1, 2), link=show.s(), link_error=[show.s(), chain(show.s(), show.s())])

# ---- many results

many = app.schedule_many(add, [((1, 2), {}), ([3], {"other": 4})], queue="mail")
assert_type(many, Results[int])
assert_type(many[0], AsyncResult[int])
assert_type(many[1:], Results[int])
assert_type([one.get() for one in many], list[int])
assert_type(many.get(timeout=5), list[int])
app.schedule_many(add, (((n,), {}) for n in range(3)))
wider: Results[object] = many

# ---- after other jobs

assert_type(add.options(after=add.delay(1)).delay(2), AsyncResult[int])
add.options(after=[add.delay(1), show.delay(2), "id", UUID(int=1)], even_if="failed").delay(2)
show.apply_async((1,), after=many, countdown=5)
show.apply_async((1,), after=(one.id for one in many))
add.options(after=5)  # type: ignore[arg-type]
add.options(after="id", even_if="cancelled")  # type: ignore[arg-type]

# ---- what belongs to a result

assert_type((add.s(1, 2) | show.s()).delay().members(), list[AsyncResult[Any]])
assert_type(add.delay(1).parents, list[AsyncResult[Any]])
assert_type(add.delay(1).children, list[AsyncResult[Any]])
assert_type(add.delay(1).parent, AsyncResult[Any] | None)
assert_type(many.members(), list[AsyncResult[Any]])

# ---- as they are completed

assert_type([one.get() for one in as_completed(many, timeout=5)], list[int])
assert_type(next(as_completed([add.delay(1), add.delay(2)], timedelta(minutes=1))), AsyncResult[int])
assert_type([one.get() for one in as_completed(group(show.s(1), show.s(2)).delay())], list[str])


async def completed() -> None:
    async for one in as_completed(add.delay(n) for n in range(3)):
        assert_type(await one.aget(), int)


# ---- what is to be refused

chain(add)  # type: ignore[call-overload]
as_completed(add.delay(1))  # type: ignore[arg-type]
as_completed([add.s(1)])  # type: ignore[arg-type]
as_completed(many, timeout="5")  # type: ignore[arg-type]
chain(add.s(1), 2)  # type: ignore[call-overload]
group(add.delay(1))  # type: ignore[call-overload]
chord([add.s(1)], total)  # type: ignore[call-overload]
add.s(1) | add  # type: ignore[operator]
add.s(1).set(quue="mail")  # type: ignore[call-arg]
add.apply_async((1,), link=show)  # type: ignore[arg-type]
app.schedule_many(add, [(1, 2)])  # type: ignore[arg-type, list-item]
app.schedule_many("shop.add", [((1,), {})])  # type: ignore[call-overload]
app.schedule_many(add, [((1,), {})], countdwon=5)  # type: ignore[call-overload]
chord([add.s(1)], total.s()).delay().get().nothing  # type: ignore[attr-defined]
