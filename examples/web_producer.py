"""A web server whose requests add jobs, and a load test of it: ten clients at once, five requests each.

python examples/web_producer.py            serves http://127.0.0.1:8000/prodcons until Ctrl-C
python examples/web_producer.py --siege    runs the load test, prints the results, and exits

GET /prodcons           squares a random number in the background; the response has the job's id
GET /results/<id>       the job's state and result

For the same in Flask, see flask_app.py.
"""

import json
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from socketserver import ThreadingMixIn
from urllib.request import urlopen
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from hourwheel import Scheduler

directory = tempfile.TemporaryDirectory(prefix="hourwheel-example-")
app = Scheduler(Path(directory.name, "tasks.json"), workers=4)


@app.task
def consume(number: int) -> int:
    time.sleep(0.05)
    return number * number


def web(environ: dict, start_response) -> Iterable[bytes]:
    _, page, *rest = environ["PATH_INFO"].split("/")
    status, answer = "404 Not Found", {}
    if page == "prodcons":
        number = random.randrange(1000)
        status, answer = "202 Accepted", {"id": consume.delay(number).id, "number": number}
    elif page == "results" and rest:
        result = app.AsyncResult(rest[0])
        status, answer = "200 OK", {"state": result.state, "result": result.result}
    start_response(status, [("Content-Type", "application/json")])
    return [json.dumps(answer).encode()]


class Server(ThreadingMixIn, WSGIServer):
    request_queue_size = 50


class Quiet(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


def siege(url: str) -> None:
    """Do what `siege -c10 -r5 URL/prodcons` does, then fetch all results."""

    def client(_: int) -> list[dict]:
        return [json.load(urlopen(f"{url}/prodcons", timeout=30)) for _ in range(5)]

    begun = time.monotonic()
    with ThreadPoolExecutor(10) as clients:
        accepted = [answer for answers in clients.map(client, range(10)) for answer in answers]
    print(f"{len(accepted)} requests answered in {time.monotonic() - begun:.2f} s")
    right = Counter(app.AsyncResult(one["id"]).get(timeout=60) == one["number"] ** 2 for one in accepted)
    states = Counter(json.load(urlopen(f"{url}/results/{one['id']}", timeout=30))["state"] for one in accepted)
    print(f"{right[True]} results are correct, {right[False]} are not; states: {dict(states)}")


def main() -> None:
    besieged = "--siege" in sys.argv
    with app, make_server("127.0.0.1", 0 if besieged else 8000, web, Server, Quiet) as server:
        url = f"http://127.0.0.1:{server.server_port}"
        print(f"{url}/prodcons", flush=True)
        if besieged:
            threading.Thread(target=server.serve_forever).start()
            siege(url)
            server.shutdown()
        else:
            with suppress(KeyboardInterrupt):
                server.serve_forever()
    app.close()
    directory.cleanup()


if __name__ == "__main__":
    main()
