"""Three cooks, two eaters: producers and consumers, with a store between them, and with the results known.

    python examples/producer_consumer.py [DISHES OF EACH COOK]

A cook that would wait for room at the counter need not: the store has room. Nothing is lost if the eaters are killed.
"""

import random
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

from noria.wheel import AsyncResult, Scheduler

DISHES = int(sys.argv[1]) if len(sys.argv) > 1 else 5
directory = tempfile.TemporaryDirectory(prefix="noria-example-")
app = Scheduler(Path(directory.name, "tasks.json"), workers=2)
served: list[AsyncResult[str]] = []


@app.task
def eat(cook: str, dish: int) -> str:
    time.sleep(random.uniform(0.01, 0.1))
    eater = threading.current_thread().name
    print(f"{eater} has eaten dish {dish} of {cook}", flush=True)
    return eater


def cook(name: str) -> None:
    for dish in range(DISHES):
        time.sleep(random.uniform(0.01, 0.1))
        served.append(eat.delay(name, dish))


def main() -> None:
    cooks = [threading.Thread(target=cook, args=(name,)) for name in ("Anna", "Bo", "Chen")]
    with app:
        for thread in cooks:
            thread.start()
        for thread in cooks:
            thread.join()
        eaten = Counter(result.get(timeout=60) for result in served)
    print(f"{eaten.total()} dishes were served, and by whom they were eaten is known: {dict(eaten)}")
    assert eaten.total() == 3 * DISHES
    app.close()
    directory.cleanup()


if __name__ == "__main__":
    main()
