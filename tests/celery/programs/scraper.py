"""A scraper: pages are fetched, links followed, at a limited rate; too many errors are given up."""

import time

from celery import Celery
from celery.contrib.testing.worker import start_worker

app = Celery("scraper", broker="memory://", backend="cache+memory://")
SITE = {"/": ["/a", "/b"], "/a": ["/b", "/c"], "/b": [], "/c": ["/missing"]}
STARTED = []


class Fetch(app.Task):
    abstract = True
    _session = None

    @property
    def session(self):
        if self._session is None:
            self._session = SITE
        return self._session


@app.task(base=Fetch, bind=True, rate_limit="20/s", max_retries=1, default_retry_delay=0)
def fetch(self, path):
    STARTED.append(time.monotonic())
    try:
        return path, self.session[path]
    except KeyError as error:
        raise self.retry(exc=error)


def main():
    seen, todo, broken = {}, ["/"], []
    with start_worker(app, perform_ping_check=False):
        while todo:
            results = [fetch.delay(path) for path in todo if path not in seen]
            todo = []
            for result in results:
                try:
                    path, links = result.get(timeout=90)
                except KeyError as error:
                    broken.append(str(error))
                    continue
                seen[path] = links
                todo += [link for link in links if link not in seen]
    return seen, sorted(set(broken)), len(STARTED) >= 6
