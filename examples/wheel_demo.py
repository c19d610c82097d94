"""Ten calls of test(i), each delayed by 1 to 10 seconds, run by two workers.

python examples/wheel_demo.py            about 15 seconds
python examples/wheel_demo.py --fast     the same in a tenth of the time
"""

import logging
import random
import sys
import tempfile
import time
from pathlib import Path

from hourwheel import Scheduler

SECOND = 0.1 if "--fast" in sys.argv else 1.0
directory = tempfile.TemporaryDirectory(prefix="hourwheel-example-")
app = Scheduler(Path(directory.name, "tasks.json"), workers=2)


@app.task(name="test")
def test(i: int) -> int:
    time.sleep(2 * SECOND)
    print(f"test({i})", flush=True)
    return i


def main() -> None:
    logging.basicConfig(level=logging.DEBUG, format="%(asctime)s %(threadName)s: %(message)s", stream=sys.stdout)
    results = [test.delay(i, countdown=random.uniform(1, 10) * SECOND) for i in range(10)]
    with app:  # starts the ticker and the workers
        print("returned:", [result.get(timeout=60) for result in results])
    app.close()
    directory.cleanup()


if __name__ == "__main__":
    main()
