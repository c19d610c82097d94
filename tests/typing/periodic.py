"""What repeats, as users write it."""

from __future__ import annotations

from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, assert_type

from hourwheel import AsyncResult, Schedule, ScheduleBook, Scheduled, Scheduler, Task, crontab, every

app = Scheduler("tasks.json")


@app.periodic(every(minutes=5))
def tick() -> None: ...


@app.periodic(30)
def twice_a_minute() -> int:
    return 2


@app.periodic(timedelta(hours=1), args=(7,), kwargs={"text": "x"}, queue="mail", name="hourly")
def remind(user_id: int, text: str = "") -> str:
    return text


@app.periodic(
    crontab("0 7 * * mon-fri", timezone="Europe/Berlin"), misfire="skip", misfire_grace_time=60, max_retries=5
)
@app.periodic(crontab(minute=0, hour="*/2", day_of_week=[1, 2]), name="noon")
@app.task(queue="reports")
def report(day: str = "") -> bytes:
    return day.encode()


@app.periodic(every(seconds=10, anchor=datetime(2030, 1, 1, tzinfo=UTC)))
async def poll(feed: str = "news") -> dict[str, int]:
    return {feed: 1}


# ---- what the decorator makes

assert_type(tick, Task[[], None])
assert_type(tick.delay(), AsyncResult[None])
assert_type(twice_a_minute(), int)
assert_type(remind.delay(7, text="x"), AsyncResult[str])
assert_type(report.delay("monday"), AsyncResult[bytes])
assert_type(report("monday"), bytes)
assert_type(poll.delay("sports"), AsyncResult[dict[str, int]])
coroutine: Coroutine[Any, Any, dict[str, int]] = poll()

# ---- the other ways

assert_type(app.add_periodic_task(every(minutes=5), remind.s(1, "x"), name="reminder"), str)
assert_type(app.add_periodic_task(30.0, tick, expires=10), str)
assert_type(app.add_periodic_task(timedelta(days=1), poll.s("news"), misfire="each", queue="mail"), str)
assert_type(app.add_periodic_task(crontab("@daily"), remind.options(queue="mail"), (7,), {"text": "x"}), str)
app.add_beat_schedule({"morning": {"task": "shop.report", "schedule": crontab("0 7 * * *"), "args": ("monday",)}})
app.conf.beat_schedule = {"morning": {"task": "shop.report", "schedule": crontab("0 7 * * *")}}

assert_type(app.run_schedule("reminder"), AsyncResult[Any])
assert_type(app.schedules, ScheduleBook)
assert_type(app.schedules[0], Scheduled)
assert_type(app.schedules[:2], list[Scheduled])
assert_type([one.name for one in app.schedules], list[str])
assert_type(app.schedules[0].next_at, datetime | None)
assert_type(app.pause_schedule("reminder"), bool)
assert_type(app.resume_schedule("reminder"), bool)
assert_type(app.remove_schedule("reminder"), bool)

assert_type(app.schedules.add("a", every(days=2, at="07:30"), remind, (1,), {"text": "x"}, queue="mail"), Scheduled)
assert_type(app.schedules.add("b", 60, "shop.report", misfire="skip", max_instances=1), Scheduled)
assert_type(app.schedules.change("a", when=crontab("@daily"), args=(2,)), Scheduled)
assert_type(app.schedules.get("a"), Scheduled | None)
assert_type(app.schedules.pause("a"), bool)
assert_type(app.schedules.resume("a"), bool)
assert_type(app.schedules.run("a"), AsyncResult[Any])
assert_type(app.schedules.remove("a"), bool)

schedules: list[Schedule] = [every(5), crontab(hour=7)]

# ---- what is to be refused

app.periodic("5 minutes")  # type: ignore[arg-type]
app.periodic(30, quue="mail")  # type: ignore[call-arg]
app.periodic(30, args=7)  # type: ignore[arg-type]
app.periodic(30)(7)  # type: ignore[arg-type]
app.add_periodic_task(30, lambda: None)  # type: ignore[arg-type]
app.add_periodic_task(tick, 30)  # type: ignore[arg-type]
app.add_periodic_task(30, tick, misfire="never")  # type: ignore[arg-type]
app.run_schedule(tick)  # type: ignore[arg-type]
app.schedules.add("a", "5 minutes", remind)  # type: ignore[arg-type]
app.schedules.add("a", 60, lambda: None)  # type: ignore[arg-type]
app.schedules.add("a", 60, remind, quue="mail")  # type: ignore[call-arg]
every(minutes="5")  # type: ignore[arg-type]
crontab(minute=0.5)  # type: ignore[arg-type]
tick.delay(1)  # type: ignore[call-overload]
remind.delay("7")  # type: ignore[call-overload]
report.after(5).delay(1)  # type: ignore[call-overload]
poll.delay(1)  # type: ignore[call-overload]
