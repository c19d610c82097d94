"""Sending a code by SMS that is valid for five minutes. A code that would be too late is not sent.

python examples/sms_code/run.py            a minute takes one second
python examples/sms_code/run.py --fast     a minute takes 0.3 seconds
python examples/sms_code/run.py --real     a minute takes a minute
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
    print("A code is requested, but no worker runs for five minutes.", flush=True)
    time.sleep(5 * MINUTE_S)
    print("$ hourwheel", *WORKER, flush=True)
    worker = subprocess.Popen([sys.executable, "-m", "hourwheel.cli", *WORKER], cwd=Path(__file__).parent)
    try:
        try:
            too_late.get(timeout=60)
        except JobExpired as error:
            print(f"Not sent: {error}")

        in_time = views.send_code("13800000000")
        print("Sent; the provider returned", in_time.get(timeout=60))
        typed = phones.read_text().split("code is ")[1][:6]  # the code that the user reads on the phone
        print("Code accepted:", views.register("13800000000", typed), flush=True)
    finally:
        worker.terminate()
        worker.wait()
    print("Sent to phones:", phones.read_text().splitlines())
    app.close()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="hourwheel-example-") as directory:
        main(directory)
