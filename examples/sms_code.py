"""A code by SMS that is valid for five minutes: tried again while the provider is busy, never sent when it is too late.

    python examples/sms_code.py

Time is moved by hand, so that nobody has to wait for five minutes: run_due(now) does what a worker would do then.
"""

import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from noria.wheel import JobExpired, Retry, Scheduler, current_job

VALID = timedelta(minutes=5)


class Provider:
    """Stands for the client of an SMS service: busy twice, then it works."""

    def __init__(self) -> None:
        self.asked = 0
        self.sent: list[tuple[str, str]] = []

    def send(self, mobile: str, text: str) -> int:
        self.asked += 1
        if self.asked <= 2:
            return -1
        self.sent.append((mobile, text))
        return 0


provider = Provider()
directory = tempfile.TemporaryDirectory(prefix="noria-example-")
app = Scheduler(Path(directory.name, "tasks.json"))


@app.task(name="send_sms_code", expires=VALID, max_retries=3)
def send_sms_code(mobile: str, code: str) -> int:
    job = current_job()
    if provider.send(mobile, f"Your code is {code}") != 0:
        raise Retry("the provider is busy", countdown=3 * 2 ** (job.attempt - 1))  # after 3, 6 and 12 seconds
    return 0


def main() -> None:
    start = datetime.now(UTC) + timedelta(seconds=1)  # noqa: TID251 - a program, not the library

    in_time = send_sms_code.delay("13800000000", "471108")
    for seconds in (0, 3, 9):
        app.run_due(start + timedelta(seconds=seconds))
        print(f"after {seconds} s: {in_time.state}, attempt {in_time.job().attempt}, sent {len(provider.sent)}")
    assert in_time.get() == 0

    too_late = send_sms_code.delay("13900000000", "003141")
    app.run_due(start + VALID + timedelta(seconds=1))  # the workers were down, say
    try:
        too_late.get()
    except JobExpired as error:
        print(f"after five minutes: {error}")
    print(f"sent: {provider.sent}")
    assert provider.sent == [("13800000000", "Your code is 471108")]
    app.close()
    directory.cleanup()


if __name__ == "__main__":
    main()
