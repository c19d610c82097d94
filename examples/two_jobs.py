"""Two jobs that start every second. One is slow, and delays neither the other nor its own next start.

python examples/two_jobs.py            ten seconds
python examples/two_jobs.py --fast     three seconds

Run it in two terminals with `--store tasks.json`: each job still starts once per second, in one of the two processes.
"""

import argparse
import tempfile
import time
from pathlib import Path

from hourwheel import Scheduler, every

parser = argparse.ArgumentParser()
parser.add_argument("--fast", action="store_true")
parser.add_argument("--store")
args = parser.parse_args()
SECONDS = 3 if args.fast else 10

directory = tempfile.TemporaryDirectory(prefix="hourwheel-example-")
app = Scheduler(args.store or Path(directory.name, "tasks.json"), workers=8)


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


@app.periodic(every(seconds=1))
def job1() -> None:
    say("job1")


@app.periodic(every(seconds=1))
def job2() -> None:
    say("job2 begins")
    time.sleep(2.5)
    say("job2 ends")


def main() -> None:
    with app:
        time.sleep(SECONDS)
    app.close()
    directory.cleanup()


if __name__ == "__main__":
    main()
