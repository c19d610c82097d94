"""Ten calls, each with a random countdown, and two workers: the program that began it all, in a few lines.

python examples/wheel_demo.py [LONGEST COUNTDOWN IN SECONDS]
"""

import logging
import random
import sys
import tempfile
import time
from pathlib import Path

from noria.wheel import Scheduler

LONGEST_S = float(sys.argv[1]) if len(sys.argv) > 1 else 10.0
DIRECTORY = tempfile.TemporaryDirectory(prefix="noria-example-")

app = Scheduler(Path(DIRECTORY.name, "tasks.json"), workers=2)


@app.task
def test(number: int) -> int:
    time.sleep(LONGEST_S / 20)
    print(f"test({number})", flush=True)
    return number


if __name__ == "__main__":
    logging.basicConfig(level=logging.DEBUG, format="%(asctime)s %(threadName)s: %(message)s", stream=sys.stdout)
    results = [test.delay(number, countdown=random.uniform(LONGEST_S / 10, LONGEST_S)) for number in range(10)]
    with app:
        print(sorted(result.get(timeout=60) for result in results))
    app.close()
    DIRECTORY.cleanup()
