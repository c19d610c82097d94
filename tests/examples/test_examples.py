"""The programs in examples/ do what they say, each by the one command that its first lines give.

They print from several threads, whose lines may come out joined, so what is looked for is looked for anywhere.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.examples.programs import EXAMPLES, example

ONE_COMMAND = {
    "wheel_demo.py": "--fast",
    "email_notifier/notify.py": "--fast",
    "two_jobs.py": "--fast",
    "sms_code/run.py": "--fast",
    "sms_retry.py": "",
    "producer_consumer.py": "--fast",
    "web_producer.py": "--siege",
}
SERVED_BY_OTHERS = {"flask_app.py", "fastapi_app.py"}
"""Started by flask or uvicorn, and tested in test_web_apps.py."""


def test_every_example_is_tested() -> None:
    programs = {
        str(path.relative_to(EXAMPLES))
        for path in EXAMPLES.rglob("*.py")
        if path.parent == EXAMPLES or 'if __name__ == "__main__"' in path.read_text(encoding="utf-8")
    }
    assert programs == ONE_COMMAND.keys() | SERVED_BY_OTHERS


@pytest.mark.parametrize("name", ONE_COMMAND)
def test_the_first_lines_and_the_readme_give_the_command(name: str) -> None:
    docstring = (EXAMPLES / name).read_text(encoding="utf-8").split('"""')[1]
    command = f"python examples/{name} {ONE_COMMAND[name]}".strip()
    assert re.search(rf"^{re.escape(command)}\b", docstring, re.M)
    assert f"`python examples/{name}" in (EXAMPLES / "README.md").read_text(encoding="utf-8")
    made = subprocess.run(["make", "-n", "examples"], cwd=EXAMPLES.parent, capture_output=True, text=True, check=True)
    assert f"{command}\n".replace("python", "/python", 1) in made.stdout.replace("; \\\n", "\n")


def test_wheel_demo_delays_ten_calls_and_logs_what_celery_users_know(tmp_path: Path) -> None:
    said = example(tmp_path, "wheel_demo.py", "--fast")
    text = "\n".join(said)
    assert text.count("Received task: test[") == 10
    assert text.count("Task accepted: test[") == 10
    assert len(re.findall(r"hourwheel-worker-[01]: Task test\[[^]]+\] succeeded in 0\.2", text)) == 10
    assert sorted(re.findall(r"test\(\d\)", text)) == [f"test({i})" for i in range(10)]
    assert said[-1] == f"returned: {list(range(10))}"


def test_sms_retry_waits_3_6_and_12_seconds_and_gives_up_after_three_retries(tmp_path: Path) -> None:
    said = example(tmp_path, "sms_retry.py")
    attempts = [re.fullmatch(r" *(\d+) s  (\d+): attempt (\d), the provider returned (\d+)", line) for line in said[:8]]
    for mobile, last in (("13800000000", 0), ("13900000000", 112)):
        mine = [tuple(map(int, (m[1], m[3], m[4]))) for m in attempts if m and m[2] == mobile]
        assert mine == [(0, 1, 112), (3, 2, 112), (9, 3, 112), (21, 4, last)]
    assert said[8:] == [
        "13800000000: succeeded, returned 0 at attempt 4",
        "13900000000: failed after 3 retries: __main__.ProviderError: status 112",
    ]


def test_sms_code_is_not_sent_when_it_would_come_after_five_minutes(tmp_path: Path) -> None:
    said = "\n".join(example(tmp_path, "sms_code/run.py", "--fast"))
    assert "$ hourwheel worker -A ccp.main -l info -c 10\n" in said
    assert "concurrency  10 threads" in said
    assert re.search(r"^Not sent: job \S+ of ccp_send_sms_code expired", said, re.M)
    assert "\nSent; the provider returned 0\nCode accepted: True\n" in said
    assert re.search(r"\nSent to phones: \['13800000000: your code is \d{6}, it is valid for 5 minutes'\]$", said)


def test_producer_consumer_keeps_ten_dishes_at_most_and_knows_who_has_eaten_each(tmp_path: Path) -> None:
    said = example(tmp_path, "producer_consumer.py", "--fast")
    eaten = re.findall(r"(hourwheel-worker-[01]) ate dish (\d) by (Anna|Bo|Chen)", "\n".join(said))
    assert sorted((cook, dish) for _, dish, cook in eaten) == [
        (c, d) for c in ("Anna", "Bo", "Chen") for d in "01234567"
    ]
    by = Counter(eater for eater, _, _ in eaten)
    found = re.fullmatch(r"24 dishes, at most (\d+) on the counter; eaten by: (.*)", said[-1])
    assert found
    assert 1 <= int(found[1]) <= 10
    assert eval(found[2]) == by


def test_web_producer_answers_a_siege_and_knows_all_results(tmp_path: Path) -> None:
    said = example(tmp_path, "web_producer.py", "--siege")
    assert said[1].startswith("50 requests answered in ")
    assert said[2] == "50 results are correct, 0 are not; states: {'succeeded': 50}"


def test_two_jobs_are_started_each_second_and_a_slow_one_delays_neither_the_other_nor_itself(tmp_path: Path) -> None:
    text = "\n".join(example(tmp_path, "two_jobs.py", "--fast"))
    assert text.count("job2 begins") == text.count("job2 ends")
    while_one_is_slow, _, _ = text.partition("job2 ends")
    assert 2 <= while_one_is_slow.count("job1") <= 4
    assert 2 <= while_one_is_slow.count("job2 begins") <= 4


# ---- mails -----------------------------------------------------------------------------------------------------

ALL = {id: "success" for id in range(1, 9)}
TO = ["new.address@example.org", *(f"user{id}@example.org" for id in (1, 2, 4, 5, 6, 7, 8))]
POOLS = [("threads", "2"), ("gevent", "100")]


@pytest.mark.parametrize(("pool", "workers"), POOLS, ids=["threads", "gevent"])
def test_email_notifier_mails_each_user_once_and_keeps_the_results(tmp_path: Path, pool: str, workers: str) -> None:
    if pool == "gevent":
        pytest.importorskip("gevent", reason="the test extra is not installed")
    said = example(tmp_path, "email_notifier/notify.py", "--fast", "-P", pool, "-c", workers)
    assert said[0] == f"$ hourwheel worker -A tasks -P {pool} -c {workers} -l info"
    assert repr(ALL) in said
    assert said[-1] == " ".join(["To:", *TO])


def test_email_notifier_s_mails_are_what_another_server_takes_for_mails(tmp_path: Path) -> None:
    pytest.importorskip("aiosmtpd", reason="the test extra is not installed")
    from tests.examples.mail_server import mail_server

    with mail_server() as (address, inbox):
        said = example(tmp_path, "email_notifier/notify.py", "--fast", "--smtp", address)
    assert repr(ALL) in said
    assert sorted(to for recipients, _ in inbox.mails for to in recipients) == TO
    for (to,), mail in inbox.mails:
        assert (mail["To"], mail["Subject"]) == (to, "Welcome")
        html = mail.get_body(("html",))
        assert html is not None
        assert re.fullmatch(r"<h1>Welcome, User \d!</h1>\s+", html.get_content())


def test_email_notifier_says_at_once_that_a_pool_is_not_there(tmp_path: Path) -> None:
    without = "import runpy, sys; sys.modules['gevent'] = None; runpy.run_module('notify', run_name='__main__')"
    ended = subprocess.run(
        [sys.executable, "-c", without, "-P", "gevent"],
        cwd=EXAMPLES / "email_notifier", env=os.environ | {"TMPDIR": str(tmp_path)}, capture_output=True, text=True,
    )  # fmt: skip
    assert (ended.returncode, ended.stderr) == (1, "the pool gevent is not installed: pip install gevent\n")
