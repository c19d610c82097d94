"""A worker process finds what the program finds: the app's module first, Django set up, a default scheduler, hooks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

LONG_S = 100

DJANGO = {
    "proj/__init__.py": "",
    "proj/settings.py": """
        SECRET_KEY = "x"
        INSTALLED_APPS = ["proj.shop"]
        DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
    """,
    "proj/celery.py": """
        import os
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "proj.settings")
        from hourwheel import Scheduler
        app = Scheduler("tasks.json", durability="os", pool="processes", workers=1)
        app.autodiscover_tasks()
        told = []
        @app.on.worker_process_init
        def init(scheduler):
            told.append(["init", scheduler is app])
        @app.on.started
        def started(job):
            told.append(["started", job.task])
        @app.on.worker_process_shutdown
        def end(scheduler):
            open("ended", "a").write(f"{os.getpid()}\\n")
    """,
    "proj/shop/__init__.py": "",
    "proj/shop/models.py": """
        from django.db import models
        class Order(models.Model):
            total = models.IntegerField()
    """,
    "proj/shop/tasks.py": """
        import os
        from hourwheel import task
        from hourwheel import get_default
        from proj.shop.models import Order
        @task
        def receipt(n):
            return Order(total=n).total
        @task
        def order(n):
            import proj.celery
            assert get_default() is proj.celery.app
            return [receipt.delay(n).get(timeout=60), proj.celery.told, os.getpid()]
    """,
    "ask.py": """
        import json, os
        from proj.celery import app
        app.discover_tasks()
        from proj.shop.tasks import order
        print(json.dumps(order.delay(7).get(timeout=60)))
    """,
}

SCRIPT = {
    "jobs.py": """
        from hourwheel import task
        @task
        def child(n):
            return n + 1
        @task
        def parent(n):
            return child.delay(n).id
    """,
    "{main}.py": """
        import json
        from hourwheel import Scheduler
        import jobs
        {before}
        if __name__ == "__main__":
            {inside}
            with app:
                id = jobs.parent.delay(1).get(timeout=60)
                print(json.dumps(app.AsyncResult(id).get(timeout=60)))
            app.close()
    """,
}


def write(directory: Path, files: dict[str, str], **words: str) -> None:
    for name, text in files.items():
        path = directory / (name.format(**words) if words else name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text).format(**words) if words else dedent(text))


def run(directory: Path, *words: str) -> Any:
    env = os.environ | {"PYTHONPATH": os.pathsep.join([*filter(None, sys.path), str(directory)])}
    ended = subprocess.run(
        [sys.executable, *words], cwd=directory, env=env, capture_output=True, text=True, timeout=LONG_S, check=False
    )
    assert ended.returncode == 0, ended.stderr[-4000:]
    return json.loads(ended.stdout.splitlines()[-1]), ended.stderr


@pytest.fixture
def project(tmp_path: Path) -> Path:
    pytest.importorskip("django")
    write(tmp_path, DJANGO)
    return tmp_path


def test_celerys_standard_layout_waited_for_ever_in_worker_processes(project: Path) -> None:
    env = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-m", "hourwheel.cli", "worker", "-A", "proj.celery", "-l", "warning"]
    with subprocess.Popen(command, cwd=project, env=env, stderr=subprocess.PIPE, text=True) as worker:
        try:
            (total, told, pid), _ = run(project, "ask.py")
        finally:
            worker.terminate()
            _, said = worker.communicate(timeout=LONG_S)
    assert (total, told) == (7, [["init", True], ["started", "proj.shop.tasks.order"]])
    assert pid != worker.pid
    assert str(pid) in (project / "ended").read_text().split(), "worker_process_shutdown"
    assert "cannot import" not in said


@pytest.mark.parametrize(
    ("before", "inside"),
    [
        ('app = Scheduler("tasks.json", durability="os", pool="processes", workers=1)', "pass"),
        ("", 'app = Scheduler("tasks.json", durability="os", pool="processes", workers=1)'),
    ],
    ids=["made by the program", "made under the guard"],
)
def test_a_shared_task_called_another_one_in_a_worker_process_and_there_was_no_scheduler(
    tmp_path: Path, before: str, inside: str
) -> None:
    write(tmp_path, SCRIPT, main="program", before=before, inside=inside)
    assert run(tmp_path, "program.py")[0] == 2


def test_a_program_that_calls_tasks_when_it_is_imported_does_not_call_them_once_for_each_worker_process(
    tmp_path: Path,
) -> None:
    (tmp_path / "program.py").write_text(
        dedent("""
        import json
        from hourwheel import Scheduler
        app = Scheduler("tasks.json", durability="os", pool="processes", workers=2)
        @app.task
        def job():
            return 1
        result = job.delay()
        if __name__ == "__main__":
            with app:
                result.get(timeout=60)
                print(json.dumps(app.store.stats(0).accepted))
        """)
    )
    accepted, said = run(tmp_path, "program.py")
    assert accepted == 1
    assert 'under: if __name__ == "__main__":' in said
