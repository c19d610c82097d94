"""Send a mail to each of many users, with a worker that uses threads or greenlets, and collect the results.

python examples/email_notifier/notify.py                      20 users, 2 threads
python examples/email_notifier/notify.py -P gevent -c 100     100 greenlets; pip install gevent
python examples/email_notifier/notify.py --fast               8 users

The mails go to a server that only keeps them in memory, or to your own with --smtp HOST:PORT.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path

from smtp_sink import Sink

parser = argparse.ArgumentParser()
parser.add_argument("-P", "--pool", default="threads")
parser.add_argument("-c", "--concurrency", default="2")
parser.add_argument("--smtp", metavar="HOST:PORT")
parser.add_argument("--fast", action="store_true")


def main(args: argparse.Namespace, directory: str, sink: Sink | None) -> None:
    os.environ |= {
        "HOURWHEEL_STORE": str(Path(directory, "tasks.json")),
        "USERS": str(Path(directory, "users.db")),
        "SMTP": sink.address if sink else args.smtp,
    }
    import users
    from tasks import app, send_welcome

    ids = users.create(8 if args.fast else 20)
    results = app.schedule_many(send_welcome, [((id,), {}) for id in ids])  # pass ids, not users
    users.moved(3, "new.address@example.org")  # after the call, before the mail: it is sent to the new address

    command = ["worker", "-A", "tasks", "-P", args.pool, "-c", args.concurrency, "-l", "info"]
    print("$ hourwheel", *command, flush=True)
    begun = time.monotonic()
    worker = subprocess.Popen([sys.executable, "-m", "hourwheel.cli", *command], cwd=Path(__file__).parent)
    try:
        print({id: result.get(timeout=60) for id, result in zip(ids, results, strict=True)})
        print(f"{len(ids)} mails in {time.monotonic() - begun:.1f} s")
    finally:
        worker.terminate()
        worker.wait()
    if sink:
        print("To:", *sorted(recipient for recipient, _ in sink.mails))
    app.close()


if __name__ == "__main__":
    args = parser.parse_args()
    if args.pool in ("gevent", "eventlet") and find_spec(args.pool) is None:
        sys.exit(f"the pool {args.pool} is not installed: pip install {args.pool}")
    with ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="hourwheel-example-"))
        main(args, directory, None if args.smtp else stack.enter_context(Sink()))
