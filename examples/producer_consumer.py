"""Producers and consumers: three cooks, two eaters, and a counter with room for ten dishes.

python examples/producer_consumer.py            about 20 seconds
python examples/producer_consumer.py --fast     the same in a fortieth of the time

The dishes wait in the store, which has room for any number and survives a crash. The limit of ten is kept by the cooks
themselves, with a semaphore.
"""

import random
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

from hourwheel import AsyncResult, Job, Scheduler

SECOND = 0.025 if "--fast" in sys.argv else 1.0
ROOM, DISHES = 10, 8
directory = tempfile.TemporaryDirectory(prefix="hourwheel-example-")
app = Scheduler(Path(directory.name, "tasks.json"), workers=2)
room = threading.BoundedSemaphore(ROOM)
served: list[AsyncResult[str]] = []
most = 0


@app.task
def eat(cook: str, dish: int) -> str:
    time.sleep(random.uniform(0.5, 2) * SECOND)
    eater = threading.current_thread().name
    print(f"{eater} ate dish {dish} by {cook}", flush=True)
    return eater


@app.on.started
def taken(job: Job) -> None:
    room.release()


def cook(name: str) -> None:
    global most
    for dish in range(DISHES):
        time.sleep(random.uniform(0, 1) * SECOND)
        room.acquire()  # waits while there are ten dishes on the counter
        served.append(eat.delay(name, dish))
        most = max(most, app.store.stats(app.clock.now_ms()).scheduled)


def main() -> None:
    cooks = [threading.Thread(target=cook, args=(name,)) for name in ("Anna", "Bo", "Chen")]
    with app:
        for thread in cooks:
            thread.start()
        for thread in cooks:
            thread.join()
        eaten = Counter(result.get(timeout=60) for result in served)
    print(f"{eaten.total()} dishes, at most {most} on the counter; eaten by: {dict(eaten)}")
    app.close()
    directory.cleanup()


if __name__ == "__main__":
    main()
