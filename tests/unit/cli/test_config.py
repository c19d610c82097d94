"""``hourwheel config``, and what the other commands take from the settings."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hourwheel.settings.table import SETTINGS

from .conftest import Run


def rows(out: str) -> dict[str, list[str]]:
    return {line.split()[0]: line.split(maxsplit=2)[1:] for line in out.splitlines()[1:]}


def test_without_an_app_it_shows_what_an_app_would_find_here(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("hourwheel.toml").write_text("workers = 8\nqueues = ['mail', 'sms']\n")
    monkeypatch.setenv("HOURWHEEL_RESULT_TTL", "60")
    status, out, err = run("config")
    assert (status, err) == (0, "")
    assert list(rows(out)) == list(SETTINGS)
    assert rows(out)["workers"] == ["8", f"{Path.cwd()}/hourwheel.toml"]
    assert rows(out)["result_ttl"] == ["60", "environment, HOURWHEEL_RESULT_TTL"]
    assert rows(out)["store"] == ['"tasks.json"', "default"]
    assert '["mail", "sms"]' in out


def test_of_an_app_it_shows_what_its_code_says_too(run: Run, module: str, store: Path) -> None:
    out = rows(run("config", "-A", module)[1])
    assert out["store"] == [f'"{store}"', "arguments of Scheduler()"]
    assert out["workers"] == ["2", "arguments of Scheduler()"]


def test_the_app_of_the_environment_is_shown(run: Run, module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOURWHEEL_APP", module)
    assert rows(run("config")[1])["workers"] == ["2", "arguments of Scheduler()"]


def test_for_programs_it_is_one_document(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOURWHEEL_STORE", "redis://me:secret@host/1")
    monkeypatch.setenv("HOURWHEEL_SERVICE_HOST", "10.0.0.1")
    told = json.loads(run("config", "--json")[1])
    assert told["other_variables"] == ["HOURWHEEL_SERVICE_HOST"]
    assert [one["name"] for one in told["settings"]] == list(SETTINGS)
    assert told["settings"][0] == {
        "name": "store",
        "value": "redis://me:***@host/1",
        "source": "environment, HOURWHEEL_STORE",
        "help": SETTINGS["store"].help,
    }
    assert "not settings, ignored: HOURWHEEL_SERVICE_HOST" in run("config")[1]


def test_a_narrow_terminal_has_it_in_lines(run: Run, terminal: Callable[[int], None]) -> None:
    terminal(30)
    assert run("config")[1].startswith('store = "tasks.json"\n    default\n')


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("wrokers = 4", "there is no setting 'wrokers'; did you mean 'workers'?"),
        ("workers = 0", "workers must be a whole number from 1 to 1024 for threads, got 0"),
        ("broker_url = 'redis://h'", "broker_url must be absent: there is no broker; write store="),
        ("pool = 'solo'\nworkers = 4", "workers must be 1 for a solo pool, got 4"),
        ("workers = ", "hourwheel.toml cannot be read: Invalid value (at end of document)"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(run: Run, text: str, message: str) -> None:
    Path("hourwheel.toml").write_text(text)
    status, out, err = run("config")
    assert (status, out) == (2, "")
    assert message in err
    assert f"{Path.cwd()}/hourwheel.toml" in err


def test_the_store_of_the_toml_table_is_that_of_the_commands(run: Run, store: Path) -> None:
    assert run("stats")[0] == 2
    Path("hourwheel.toml").write_text(f"store = '{store}'\n")
    status, out, _ = run("stats")
    assert (status, out.split()[1]) == (0, str(store))


def test_tasks_that_are_discovered_are_known_to_the_commands(run: Run, tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "__init__.py").write_text("")
    (tmp_path / "shop" / "main.py").write_text(
        "from hourwheel import Scheduler\napp = Scheduler()\napp.autodiscover_tasks(lambda: ['shop'])\n"
    )
    (tmp_path / "shop" / "tasks.py").write_text("1 / 0\n")
    status, _, err = run("config", "-A", "shop.main")
    assert (status, err) == (
        2, "hourwheel: the tasks of 'shop.main' cannot be imported: ZeroDivisionError: division by zero\n",
    )  # fmt: skip
    (tmp_path / "shop" / "tasks.py").write_text("seen = True\n")
    assert run("config", "-A", "shop.main")[0] == 0
