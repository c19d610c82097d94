"""Sending a code by SMS through a busy provider: retried after 3, 6 and 12 seconds, then given up.

python examples/sms_retry.py

The program moves the clock itself, so you do not have to wait. With `with app:` and the machine's clock, it does the
same in real time. (With retry_jitter=True, each delay is drawn at random between zero and its value, so that codes that
failed together are not retried together.)
"""

from datetime import UTC, datetime

from hourwheel import JobFailed, Scheduler
from hourwheel.store import MemoryStore
from hourwheel.testing import FakeClock

BUSY_UNTIL_S = {"13800000000": 20, "13900000000": 3600}
START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
clock = FakeClock(START)
app = Scheduler(MemoryStore(), clock=clock)


class ProviderError(Exception):
    pass


class Provider:
    """Stands in for the client of an SMS service that is busy for a while. send() returns 0 if the SMS was sent."""

    def send(self, mobile: str, code: str) -> int:
        return 0 if seconds() >= BUSY_UNTIL_S[mobile] else 112


def seconds() -> int:
    """The seconds since START."""
    return (clock.now_ms() - int(START.timestamp() * 1000)) // 1000


@app.task(bind=True, name="ccp_send_sms_code", retry_backoff=3)
def send_sms_code(self, mobile: str, code: str) -> int:
    try:
        status = Provider().send(mobile, code)
        print(f"{seconds():3} s  {mobile}: attempt {self.request.retries + 1}, the provider returned {status}")
        if status != 0:
            raise ProviderError(f"status {status}")
    except Exception as e:
        raise self.retry(exc=e, max_retries=3)
    return 0


def main() -> None:
    sent, lost = send_sms_code.delay("13800000000", "471108"), send_sms_code.delay("13900000000", "003141")
    while not (sent.ready() and lost.ready()):
        app.run_due()
        clock.advance(1)
    print(f"13800000000: {sent.state}, returned {sent.get()} at attempt {sent.job().attempt}")
    try:
        lost.get()
    except JobFailed as error:
        print(f"13900000000: {lost.state} after {lost.retries} retries: {error}")
    app.close()


if __name__ == "__main__":
    main()
