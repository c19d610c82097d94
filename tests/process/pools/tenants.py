"""Two schedulers that one function has made, each with a task of the same name, over worker processes."""

from __future__ import annotations

import sys
from pathlib import Path

from hourwheel import Scheduler, Task

HERE = Path(sys.argv[1])


def create(tenant: str) -> tuple[Scheduler, Task[[int], str]]:
    app = Scheduler(HERE / f"{tenant}.json", pool="processes", workers=1)

    @app.task
    def send(number: int) -> str:
        return f"{tenant}-{number}"

    return app, send


one, send_of_one = create("one")
two, send_of_two = create("two")
hidden = [create("three")]

if __name__ == "__main__":
    for app, send in ((one, send_of_one), (two, send_of_two), (one, send_of_one)):
        with app:
            print(send.delay(1).get(timeout=20))
    app, send = hidden[0]
    del one, two
    with app:
        result = send.delay(1)
        try:
            print(result.get(timeout=2))
        except TimeoutError as error:
            print(error)
