"""A code by SMS that is valid for five minutes: not sent when it would come too late, and sent at once otherwise.

python examples/sms_code/run.py            a minute of the story takes a second
python examples/sms_code/run.py --fast     or a third of one
python examples/sms_code/run.py --real     or a minute
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

MINUTE_S = 60.0 if "--real" in sys.argv else 0.3 if "--fast" in sys.argv else 1.0
WORKER = ["worker", "-A", "ccp.main", "-l", "info", "-c", "10"]


def main(directory: str) -> None:
    phones = Path(directory, "phones")
    os.environ |= {
        "CCP_STORE": str(Path(directory, "tasks.json")),
        "CCP_PHONES": str(phones),
        "CCP_CODE_VALID_S": str(5 * MINUTE_S),
    }
    from ccp import views
    from ccp.main import app
    from hourwheel import JobExpired

    too_late = views.send_code("13900000000")
    print("A code is to be sent, but no worker runs, for five minutes.", flush=True)
    time.sleep(5 * MINUTE_S)
    print("$ hourwheel", *WORKER, flush=True)
    worker = subprocess.Popen([sys.executable, "-m", "hourwheel.cli", *WORKER], cwd=Path(__file__).parent)
    try:
        try:
            too_late.get(timeout=60)
        except JobExpired as error:
            print(f"Not sent: {error}")

        in_time = views.send_code("13800000000")
        print("Sent, and the provider answered", in_time.get(timeout=60))
        typed = phones.read_text().split("code is ")[1][:6]  # what the user reads on the phone
        print("Registered:", views.register("13800000000", typed), flush=True)
    finally:
        worker.terminate()
        worker.wait()
    print("The phones:", phones.read_text().splitlines())
    app.close()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="hourwheel-example-") as directory:
        main(directory)
