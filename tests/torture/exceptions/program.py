"""``python program.py POOL DURABILITY STRIKES SEED``: jobs that are struck in delay(), and others that are not.

POOL is a pool, whose soft limits strike; or "main": a signal's handler raises in the main thread at random moments, while
other threads add jobs. It goes on until so many strikes have come. Prints what was seen, as JSON; ids that were acknowledged
stand in the file "acknowledged" beside the store.
"""

import sys

POOL, DURABILITY, STRIKES, SEED = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
if POOL == "gevent":
    from gevent import monkey

    monkey.patch_all()
elif POOL == "eventlet":
    import eventlet

    eventlet.monkey_patch()

import json  # noqa: E402
import os  # noqa: E402
import random  # noqa: E402
import signal  # noqa: E402
import threading  # noqa: E402
import time  # noqa: E402

from hourwheel import JobFailed, Scheduler, SoftTimeLimitExceeded  # noqa: E402

WITHOUT_NEWS_S = 60.0
app = Scheduler(
    f"json:tasks.json?durability={DURABILITY}",
    pool="threads" if POOL == "main" else POOL,
    workers=1 if POOL == "solo" else 2,
    queues=["run"],
)


def acknowledged(id: str) -> None:
    fd = os.open("acknowledged", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(fd, f"{id}\n".encode())
    finally:
        os.close(fd)


@app.task(queue="never")
def kept(number: int) -> None:
    """Waits for ever, and is looked for in the end."""


def add_until_struck() -> str:
    try:
        for number in range(1 << 40):
            acknowledged(kept.delay(number).id)
            if POOL in ("gevent", "eventlet"):
                time.sleep(0)  # a greenlet that never waits cannot be reached
    except SoftTimeLimitExceeded:
        return "struck"
    return "never"


async def add_until_struck_at_an_await() -> str:
    try:
        for number in range(1 << 40):
            acknowledged((await kept.adelay(number)).id)
    except SoftTimeLimitExceeded:
        return "struck"
    return "never"


struck = app.task(name="struck", queue="run", soft_time_limit=0.03)(
    add_until_struck_at_an_await if POOL == "asyncio" else add_until_struck
)


@app.task(queue="run")
def innocent(number: int) -> str:
    acknowledged(kept.delay(number).id)
    return "done"


class Struck(BaseException):
    """As KeyboardInterrupt is, which a test would take for its own."""


def in_a_pool() -> dict[str, object]:
    seen = {"strikes": 0, "others": 0, "beside": 0, "wrong": ""}
    with app:
        while seen["strikes"] < STRIKES and not seen["wrong"]:
            calls = [
                (struck, struck.delay()),
                (innocent, innocent.delay(1)),
                (struck, struck.delay()),
                (innocent, innocent.delay(2)),
            ]
            for called, result in calls:
                acknowledged(kept.delay(3).id)
                try:
                    said = result.get(timeout=WITHOUT_NEWS_S)
                except JobFailed as failed:  # on a busy machine the time may be over before the function is in its try
                    seen["beside"] += 1
                    if "SoftTimeLimitExceeded" in str(failed) and seen["beside"] <= max(3, seen["strikes"] // 5):
                        continue
                    raise
                seen["strikes" if called is struck else "others"] += 1
                if said != ("struck" if called is struck else "done"):
                    seen["wrong"] = f"{called.name} said {said!r}"
    return seen


def in_the_main_thread() -> dict[str, object]:
    seen = {"strikes": 0, "others": 0, "wrong": ""}
    choose, armed, stopped = random.Random(SEED), [False], threading.Event()

    def ring(*_: object) -> None:
        if armed[0]:
            armed[0] = False
            raise Struck

    def add() -> None:
        while not stopped.is_set():
            try:
                acknowledged(kept.delay(4).id)
                seen["others"] += 1
            except BaseException as error:
                seen["wrong"] = f"another thread: {error!r}"
                return

    signal.signal(signal.SIGALRM, ring)
    threads = [threading.Thread(target=add, daemon=True) for _ in range(SEED % 3)]
    for thread in threads:
        thread.start()
    while seen["strikes"] < STRIKES and not seen["wrong"]:
        try:
            armed[0] = True
            signal.setitimer(signal.ITIMER_REAL, choose.uniform(0.0001, 0.002))
            while armed[0]:
                id = kept.delay(5).id
                acknowledged(id) if armed[0] else None
        except Struck:
            seen["strikes"] += 1
        try:
            acknowledged(kept.delay(6).id)
        except Exception as error:
            seen["wrong"] = f"the next call: {error!r}"
    stopped.set()
    for thread in threads:
        thread.join(WITHOUT_NEWS_S)
        if thread.is_alive():
            seen["wrong"] = "another thread hangs in delay()"
    return seen


def watch() -> None:
    last, since = -1, time.monotonic()
    while True:
        time.sleep(1.0)
        size = os.stat("acknowledged").st_size if os.path.exists("acknowledged") else 0
        if size != last:
            last, since = size, time.monotonic()
        elif time.monotonic() - since > 2 * WITHOUT_NEWS_S:
            print(
                json.dumps({"strikes": 0, "others": 0, "wrong": f"nobody has added a job for {2 * WITHOUT_NEWS_S} s"}),
                flush=True,
            )
            os._exit(1)


if __name__ == "__main__":
    threading.Thread(target=watch, daemon=True).start()
    try:
        told = in_the_main_thread() if POOL == "main" else in_a_pool()
    except BaseException as error:
        told = {"strikes": 0, "others": 0, "wrong": repr(error)}
    print(json.dumps(told), flush=True)
    os._exit(0)
