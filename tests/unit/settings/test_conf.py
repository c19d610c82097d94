"""app.conf: the layers of settings, what they refuse, and what becomes of them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hourwheel import UNSET, HourwheelError, InvalidValue, Scheduler, SchedulerError, UnknownSetting, every, task
from hourwheel.settings.conf import Conf
from hourwheel.settings.table import SETTINGS, plain
from hourwheel.store import MemoryStore
from hourwheel.tasks.options.routes import Routes
from hourwheel.testing import FakeClock
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty directory, no variables of ours, and imports from that directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in [*(f"HOURWHEEL_{name.upper()}" for name in SETTINGS), "HOURWHEEL_APP", "HOURWHEEL_DEBUG"]:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def module(tmp_path: Path) -> Iterator[Callable[[str, str], str]]:
    """``module("shop_conf", text)``: a module in the current directory, forgotten after the test."""
    made: list[str] = []

    def module(name: str, text: str) -> str:
        (tmp_path / f"{name}.py").write_text(text)
        made.append(name)
        return name

    yield module
    for name in made:
        sys.modules.pop(name, None)


def toml(text: str, file: str = "hourwheel.toml") -> None:
    Path(file).write_text(text)


# ---- what holds ----------------------------------------------------------------------------------------------


def test_without_anything_said_all_is_by_default() -> None:
    conf = Scheduler().conf
    assert {known.source for known in conf.all()} == {"default"}
    assert dict(conf) == {name: setting.default for name, setting in SETTINGS.items()}
    assert repr(conf) == "<Conf: all by default>"


def test_every_default_keeps_its_own_rule_and_has_a_line_of_help() -> None:
    for setting in SETTINGS.values():
        assert setting.checked(setting.default) == setting.default
        assert setting.help
        assert "\n" not in setting.help


LAYERS = ("toml", "environment", "object", "code")
VALUES = st.one_of(st.none(), st.just(UNSET), st.integers(1, 1024))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200, deadline=None)
@given(st.fixed_dictionaries({layer: VALUES for layer in LAYERS}))
def test_the_value_is_that_of_the_highest_layer_that_says_one(said: dict[str, Any]) -> None:
    """None: the layer is silent. UNSET: it says that it says nothing. Both come to the same."""
    below, environ = said["toml"], {}
    toml("" if below is None or below is UNSET else f"workers = {below}\n")
    if said["environment"] is not None:
        environ["HOURWHEEL_WORKERS"] = "" if said["environment"] is UNSET else str(said["environment"])
    conf = Conf(environ=environ)
    if said["code"] is not None:
        conf.workers = said["code"]
    if said["object"] is not None:
        conf.take({"workers": said["object"]}, None)
    told = [layer for layer in LAYERS if said[layer] is not None and said[layer] is not UNSET]
    assert conf.workers == (said[told[-1]] if told else None)
    sources = {"toml": "hourwheel.toml", "environment": "HOURWHEEL_WORKERS", "object": "a dict", "code": "app.conf"}
    assert (sources[told[-1]] if told else "default") in conf.source("workers")


def test_each_value_says_where_it_stands(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, module: Any) -> None:
    toml("[tool.hourwheel]\nqueues = ['mail']\ntimezone = 'Europe/Berlin'\nowner = 'toml'\n", "pyproject.toml")
    monkeypatch.setenv("HOURWHEEL_TIMEZONE", "Asia/Tokyo")
    monkeypatch.setenv("HOURWHEEL_OWNER", "environment")
    app = Scheduler(workers=2)
    app.config_from_object(module("shop_conf", "owner = 'object'\nresult_expires = 60\n"))
    app.conf.durability = "os"
    assert {known.name: (known.value, known.source) for known in app.conf.all() if known.source != "default"} == {
        "workers": (2, "arguments of Scheduler()"),
        "durability": ("os", "app.conf"),
        "owner": ("object", "shop_conf, owner"),
        "result_ttl": (60, "shop_conf, result_expires"),
        "timezone": ("Asia/Tokyo", "environment, HOURWHEEL_TIMEZONE"),
        "queues": (frozenset({"mail"}), f"{tmp_path}/pyproject.toml [tool.hourwheel]"),
    }
    assert app.timezone == ZoneInfo("Asia/Tokyo")
    assert (app.workers, app.queues, app.result_ttl_ms) == (2, frozenset({"mail"}), 60_000)
    assert app.owner.startswith("object-")
    assert "workers=2 (arguments of Scheduler())" in repr(app.conf)


def test_none_that_is_given_is_a_value_and_not_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOURWHEEL_QUEUES", "mail")
    monkeypatch.setenv("HOURWHEEL_DURABILITY", "none")
    app = Scheduler(queues=None)
    assert (app.queues, app.conf.source("queues")) == (None, "arguments of Scheduler()")
    assert (app.conf.durability, app.conf.source("durability")) == (None, "environment, HOURWHEEL_DURABILITY")


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("store", "json:a.json", "json:a.json"),
        ("workers", " 8 ", 8),
        ("queues", "mail, sms,", frozenset({"mail", "sms"})),
        ("result_ttl", "0.5", 0.5),
        ("pool", "asyncio", "asyncio"),
        ("time_limit", "30", 30),
        ("task_routes", "app.mail.*=mail, app.sms=sms", {"app.mail.*": "mail", "app.sms": "sms"}),
    ],
)
def test_a_variable_is_read_as_what_the_setting_is(name: str, text: str, value: Any) -> None:
    assert Conf(environ={f"HOURWHEEL_{name.upper()}": text})[name] == value


def test_hourwheel_toml_stands_in_the_place_of_the_table_in_pyproject() -> None:
    toml("[tool.hourwheel]\nworkers = 2\nresult_ttl = 5\n", "pyproject.toml")
    toml("workers = 3\n[task_routes]\n'app.*' = {queue = 'slow'}\n")
    conf = Scheduler().conf
    assert (conf.workers, conf.result_ttl, dict(conf.task_routes)) == (3, 3600, {"app.*": "slow"})


def test_a_pyproject_that_does_not_speak_of_us_may_be_as_broken_as_it_likes() -> None:
    toml("[[[", "pyproject.toml")
    assert Scheduler().workers == 4


# ---- what is refused -----------------------------------------------------------------------------------------


def refused(do: Callable[[], object], kind: type[Exception] = InvalidValue) -> str:
    with pytest.raises(kind) as error:
        do()
    assert isinstance(error.value, HourwheelError)
    return str(error.value)


def test_an_unknown_name_is_refused_with_a_guess_in_every_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    app = Scheduler()
    guess = "there is no setting 'worker'; did you mean 'workers'?"
    assert refused(lambda: setattr(app.conf, "worker", 4), UnknownSetting) == guess
    assert refused(lambda: app.conf["worker"], KeyError) == guess
    assert refused(lambda: app.conf.worker, AttributeError) == guess
    assert refused(lambda: app.conf.update(worker=4)) == guess
    assert refused(lambda: app.config_from_object({"worker": 4})) == f"a dict, worker: {guess}"
    assert "the settings are store, durability," in refused(lambda: app.conf.flavour)
    toml("worker = 4")
    assert refused(lambda: app.workers).endswith(f"hourwheel.toml: {guess}")
    toml("")
    monkeypatch.setenv("HOURWHEEL_WORKER", "4")
    assert refused(lambda: app.workers) == "there is no variable HOURWHEEL_WORKER; did you mean HOURWHEEL_WORKERS?"
    assert not hasattr(app.conf, "worker")
    assert "worker" not in app.conf
    assert app.conf.get("worker", 7) == 7


def test_variables_of_a_container_platform_for_a_service_called_hourwheel_are_left_alone() -> None:
    for name in (
        "HOURWHEEL_SERVICE_HOST",
        "HOURWHEEL_PORT",
        "HOURWHEEL_PORT_80_TCP_ADDR",
        "HOURWHEEL_STORE_SERVICE_PORT",
    ):
        assert Conf(environ={name: "tcp://10.0.0.1:80"}).workers is None


def test_celerys_name_in_a_variable_is_refused_with_ours() -> None:
    conf = Conf(environ={"HOURWHEEL_WORKER_CONCURRENCY": "4"})
    assert refused(lambda: conf.workers).endswith("did you mean HOURWHEEL_WORKERS?")


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("workers", 0, "workers must be a whole number from 1 to 1024"),
        ("workers", "4", "workers must be a whole number from 1 to 1024"),
        ("queues", "mail", "queues must be a collection of names"),
        ("result_ttl", "1h", "result_ttl must be a number of seconds"),
        ("timezone", "Mars/Olympus", "timezone must be the name of a time zone"),
        ("timezone", None, "timezone must be the name of a time zone"),
        ("durability", "quick", 'durability must be "sync", "interval" or "os", got \'quick\''),
        ("store", 7, "store must be a path, a URL or a Store, got 7"),
        ("pool", "fibres", "pool must be one of asyncio, eventlet"),
        ("time_limit", -1, "time_limit must be a number of seconds"),
        ("task_default_queue", "a b", "task_default_queue must be 1 to 100 letters"),
        ("task_routes", {"a.*": {"exchange": "x"}}, "task_routes['a.*'] must be a queue, or a dict with only a queue"),
        ("task_routes", {"a.*": "a b"}, "task_routes['a.*']: queue must be 1 to 100 letters"),
        ("task_routes", lambda name: "mail", "task_routes must be a dict of queues by names of tasks"),
        ("beat_schedule", [1], "beat_schedule must be a dict of schedules by name"),
    ],
)
def test_a_value_that_breaks_its_rule_is_refused_at_once_and_nothing_is_changed(
    name: str, value: Any, message: str
) -> None:
    app = Scheduler()
    for do in (
        lambda: setattr(app.conf, name, value),
        lambda: app.conf.update({"owner": "x", name: value}),
        lambda: app.config_from_object({"owner": "x", name: value}),
    ):
        assert message in refused(do)
        assert {known.source for known in app.conf.all()} == {"default"}


def test_settings_that_do_not_go_together_are_refused_at_once() -> None:
    app = Scheduler(workers=600, pool="asyncio")
    assert "workers must be 1 for a solo pool, got 600" in refused(lambda: setattr(app.conf, "pool", "solo"))
    assert (app.conf.pool, app.pool.kind.name) == ("asyncio", "asyncio")
    assert "soft_time_limit must be less" in refused(lambda: app.conf.update(time_limit=5, soft_time_limit=5))
    assert app.conf.time_limit is None


def test_an_argument_that_needs_the_pool_of_a_lower_layer_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "only a pool of processes has children" in refused(lambda: Scheduler(max_tasks_per_child=5))
    monkeypatch.setenv("HOURWHEEL_POOL", "processes")
    assert Scheduler(max_tasks_per_child=5).pool.max_tasks_per_child == 5


def test_layers_that_do_not_go_together_say_where_each_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOURWHEEL_WORKERS", "5000")
    app = Scheduler(pool="threads")
    assert refused(lambda: app.workers) == (
        "workers must be a whole number from 1 to 1024 for threads, got 5000 "
        "(pool: arguments of Scheduler(), workers: environment, HOURWHEEL_WORKERS)"
    )


def test_what_a_layer_below_cannot_be_is_said_with_its_place_when_it_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOURWHEEL_RESULT_TTL", "soon")
    app = Scheduler(MemoryStore())
    assert app.workers == 4
    assert refused(lambda: app.result_ttl_ms) == (
        "environment, HOURWHEEL_RESULT_TTL: result_ttl must be a number of seconds or a timedelta, zero or more, got 'soon'"
    )
    toml("workers = ")
    assert "hourwheel.toml cannot be read: Invalid value" in refused(lambda: Scheduler().workers)
    toml("workers = '4'")
    assert "hourwheel.toml: workers must be a whole number" in refused(lambda: Scheduler().workers)
    Path("hourwheel.toml").unlink()
    toml("tool.hourwheel = 4", "pyproject.toml")
    assert refused(lambda: Scheduler().workers) == "tool.hourwheel in pyproject.toml must be a table, got 4"


def test_an_unknown_argument_is_pythons_own_error() -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument 'wrokers'"):
        Scheduler(wrokers=4)  # type: ignore[call-arg]


# ---- Celery's names ------------------------------------------------------------------------------------------


def test_celerys_names_are_taken_where_they_mean_the_same() -> None:
    app = Scheduler()
    app.config_from_object({
        "worker_concurrency": 3,
        "worker_pool": "prefork",
        "result_expires": timedelta(minutes=1),
        "task_time_limit": 60,
        "task_soft_time_limit": 50,
        "worker_max_tasks_per_child": 100,
        "worker_max_memory_per_child": 100_000,
        "task_routes": {"app.mail.*": {"queue": "mail"}},
        "task_default_queue": "slow",
        "timezone": "Europe/Berlin",
        "enable_utc": True,
        "task_serializer": "json",
        "accept_content": ["json"],
        "task_acks_late": True,
        "task_track_started": True,
    })  # fmt: skip
    assert (app.workers, app.pool.kind.name, app.result_ttl_ms) == (3, "processes", 60_000)
    assert (app.pool.limits.hard_s, app.pool.limits.soft_s, app.pool.max_tasks_per_child) == (60.0, 50.0, 100)
    assert (app.conf.worker_concurrency, app.conf["result_expires"]) == (3, timedelta(minutes=1))


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("broker_url", "redis://u:secret@h/1", "there is no broker; write store="),
        ("broker_transport_options", {}, "there is no broker"),
        ("result_backend", "redis://h", "results are kept in the store"),
        ("task_always_eager", True, "see docs/testing.md"),
        ("task_serializer", "pickle", "pickle is never read"),
        ("enable_utc", False, "instants are kept in UTC always"),
        ("task_acks_late", False, "acks_early=True"),
        ("result_expires", None, "for ever, which it means in Celery, is a large result_ttl"),
        ("result_expires", 0, "for ever, which it means in Celery, is a large result_ttl"),
        ("imports", ("shop.tasks",), "autodiscover_tasks"),
        ("worker_prefetch_multiplier", 1, "nothing to tune"),
        ("result_ttl", -1, "result_ttl must be"),
    ],
)
def test_celerys_names_that_mean_something_else_say_what_to_write(name: str, value: Any, message: str) -> None:
    said = refused(lambda: Scheduler().config_from_object({name: value}))
    assert said.startswith(f"a dict, {name}: {name} must be")
    assert message in said
    assert "secret" not in said


def test_the_same_setting_by_two_names_is_refused() -> None:
    said = refused(lambda: Scheduler().config_from_object({"workers": 2, "worker_concurrency": 3}))
    assert (
        said
        == "a dict, worker_concurrency: worker_concurrency must be absent where workers is given by another name, too"
    )


# ---- objects -------------------------------------------------------------------------------------------------


def test_a_module_gives_its_settings_and_keeps_what_is_its_own(module: Any) -> None:
    name = module(
        "shop_conf",
        "from __future__ import annotations\nimport os\nfrom datetime import timedelta\nBASE = 'x'\n_mine = 1\n"
        "def helper(): ...\nclass Kept: ...\nworkers = 3\nresult_ttl = timedelta(minutes=1)\n",
    )
    app = Scheduler()
    app.config_from_object(name)
    assert (app.workers, app.result_ttl_ms, len([k for k in app.conf.all() if k.source != "default"])) == (3, 60_000, 2)


def test_a_setting_of_a_module_in_upper_case_is_not_ignored_silently(module: Any) -> None:
    name = module("shop_conf", "WORKERS = 3\n")
    said = refused(lambda: Scheduler().config_from_object(name))
    assert said == "shop_conf: WORKERS must be written workers, or a namespace be given"


@pytest.mark.parametrize("namespace", ["CELERY", "HOURWHEEL"])
def test_of_djangos_settings_those_of_the_namespace_are_taken(namespace: str) -> None:
    said = {"DEBUG": True, "WORKERS": 9, f"{namespace}_WORKER_CONCURRENCY": 3, f"{namespace}_TIMEZONE": "Asia/Tokyo"}
    app = Scheduler()
    app.config_from_object(SimpleNamespace(**said), namespace=namespace)
    assert (app.workers, app.conf.timezone) == (3, "Asia/Tokyo")
    assert app.conf.source("workers") == f"a SimpleNamespace, {namespace}_WORKER_CONCURRENCY"
    with pytest.raises(UnknownSetting, match="did you mean 'timezone'"):
        app.config_from_object({f"{namespace}_TIMEZON": "UTC"}, namespace=namespace)


def test_attributes_that_are_not_asked_for_are_not_read() -> None:
    class Settings:
        HOURWHEEL_WORKERS = 3

        @property
        def SECRET(self) -> str:
            raise RuntimeError("it was read")

    app = Scheduler()
    app.config_from_object(Settings(), namespace="HOURWHEEL")
    assert app.workers == 3


def test_objects_are_found_by_name_in_modules_and_packages(module: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    name = module("shop_conf", "class Production:\n    workers = 3\n    class Inner:\n        workers = 5\n")
    for path, workers in ((f"{name}:Production", 3), (f"{name}.Production", 3), (f"{name}:Production.Inner", 5)):
        app = Scheduler()
        app.config_from_object(path)
        assert app.workers == workers
    monkeypatch.setenv("SHOP_CONFIG", f"{name}:Production")
    app = Scheduler()
    app.config_from_envvar("SHOP_CONFIG")
    assert app.workers == 3
    monkeypatch.delenv("SHOP_CONFIG")
    assert refused(lambda: app.config_from_envvar("SHOP_CONFIG")).startswith("SHOP_CONFIG must be set to the name")


@pytest.mark.parametrize("name", ["nowhere", "nowhere.at.all", "shop_conf:Prodution", "shop_conf.nothing", "", "a b"])
def test_a_name_that_stands_for_no_object_is_refused(name: str, module: Any) -> None:
    module("shop_conf", "class Production: ...\n")
    assert refused(lambda: Scheduler().config_from_object(name)).startswith("obj must be")


def test_what_the_import_of_a_module_raises_is_not_hidden(module: Any) -> None:
    for name, text in (("shop_a", "import not_installed\n"), ("shop_b", "1 / 0\n")):
        with pytest.raises((ModuleNotFoundError, ZeroDivisionError)):
            Scheduler().config_from_object(module(name, text))


def test_an_object_takes_the_place_of_the_one_before_and_not_of_what_the_code_says() -> None:
    app = Scheduler(workers=2)
    app.conf.owner = "me"
    app.config_from_object({"workers": 9, "owner": "it", "timezone": "Asia/Tokyo", "result_ttl": 5})
    app.config_from_object({"result_ttl": 6})
    assert (app.workers, app.conf.owner, app.timezone, app.result_ttl_ms) == (2, "me", UTC, 6_000)


# ---- app.conf as an object -----------------------------------------------------------------------------------


def test_items_and_attributes_are_the_same_and_can_be_unset() -> None:
    conf = Scheduler().conf
    conf["workers"] = 3
    assert (conf.workers, conf["workers"], conf["worker_concurrency"]) == (3, 3, 3)
    del conf["worker_concurrency"]
    assert conf.workers is None
    conf.workers = 5
    del conf.workers
    assert conf.source("workers") == "default"
    assert set(SETTINGS) <= set(dir(conf))
    assert (len(conf), list(conf)) == (len(SETTINGS), list(SETTINGS))


def test_what_is_read_cannot_be_changed_behind_its_back() -> None:
    app = Scheduler()
    mine = {"app.*": "slow"}
    app.conf.task_routes = mine
    mine["app.*"] = "fast"
    with pytest.raises(TypeError):
        app.conf.task_routes["app.*"] = "fast"
    assert dict(app.conf.task_routes) == {"app.*": "slow"}


def test_passwords_of_urls_are_not_shown() -> None:
    assert plain("redis://me:secret@host/1") == "redis://me:***@host/1"
    app = Scheduler()
    app.conf.store = "redis://:secret@host/1"
    assert "secret" not in repr(app.conf)


def test_every_value_has_a_form_for_programs() -> None:
    assert plain(frozenset({"b", "a"})) == ["a", "b"]
    assert plain(timedelta(minutes=1)) == 60.0
    assert plain(ZoneInfo("Europe/Berlin")) == "Europe/Berlin"
    assert plain({"a": (1, None, True, 0.5)}) == {"a": [1, None, True, 0.5]}
    assert plain(every(5)) == repr(every(5))


# ---- what a scheduler makes of it ----------------------------------------------------------------------------


def test_the_store_comes_from_the_settings_and_is_opened_when_it_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    app = Scheduler()
    monkeypatch.setenv("HOURWHEEL_STORE", "json:mine.json?durability=os")
    assert not Path("mine.json").exists()
    assert app.store.next_due() is None
    assert Path("mine.json").exists()
    app.close()


def test_durability_of_a_lower_layer_does_not_speak_of_a_store_that_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOURWHEEL_DURABILITY", "os")
    store = MemoryStore()
    assert Scheduler(store).store is store
    app = Scheduler("mine.json")
    assert app.store.durability == "os"  # type: ignore[attr-defined]
    app.close()


def test_a_store_that_is_open_cannot_become_another_one() -> None:
    app = Scheduler("one.json")
    app.conf.store = "two.json"
    assert app.store is not None
    for do in (
        lambda: setattr(app.conf, "store", "three.json"),
        lambda: app.config_from_object({"durability": "os"}),
    ):
        assert "the store is open" in refused(do, SchedulerError)
    assert (app.conf.store, app.conf.durability) == ("two.json", None)
    app.close()
    app.conf.store = "three.json"
    assert app.store.next_due() is None
    assert sorted(path.name for path in Path().glob("*.json")) == ["three.json", "two.json"]
    app.close()


def test_a_store_may_be_an_object_in_any_layer_of_code() -> None:
    first, second, third = MemoryStore(), MemoryStore(), MemoryStore()
    app = Scheduler(first)
    assert (app.store, app.backing.url) == (first, None)
    app.conf.store = second
    assert app.store is second
    app.conf.store = UNSET
    app.config_from_object(SimpleNamespace(store=third))
    assert app.store is third
    app.close()
    assert third.next_due() is None
    assert repr(app).startswith(f"Scheduler({third!r}")


def test_what_was_read_is_read_anew_when_it_was_changed() -> None:
    app = Scheduler(MemoryStore())
    before = (app.workers, app.queues, app.result_ttl_ms, app.timezone, app.routes, app.owner)
    assert before[:-1] == (4, None, 3_600_000, UTC, None)
    app.conf.update(
        workers=2, queues=["a"], result_ttl=1, timezone="Asia/Tokyo", task_routes={"a": "b"}, owner="me"
    )  # fmt: skip
    assert (app.workers, app.queues, app.result_ttl_ms) == (2, frozenset({"a"}), 1_000)
    assert app.timezone == ZoneInfo("Asia/Tokyo")
    assert isinstance(app.routes, Routes)
    assert app.owner == "me-" + before[-1].split("-", before[-1].count("-") - 1)[-1]


# ---- routes --------------------------------------------------------------------------------------------------


@pytest.fixture
def app() -> Iterator[Scheduler]:
    app = Scheduler(MemoryStore(), clock=FakeClock())
    yield app
    app.close()


def add(app: Scheduler, name: str, **options: Any) -> Any:
    return app.task(name=name, **options)(lambda *args: None)


def test_a_call_goes_where_it_says_or_its_task_or_the_routes_or_the_default(app: Scheduler) -> None:
    plain_, mail, own = add(app, "app.x"), add(app, "app.mail.send"), add(app, "app.mail.own", queue="own")
    default = add(app, "app.mail.stay", queue="default")
    bound = mail.options(priority=3)
    app.conf.task_routes = {"app.mail.*": {"queue": "mail"}}

    def queue(call: Any) -> str:
        return str(call.delay().queue)

    assert [queue(one) for one in (plain_, mail, own, default, bound)] == ["default", "mail", "own", "default", "mail"]
    assert mail.apply_async(queue="now").queue == "now"
    app.conf.task_default_queue = "slow"
    assert [queue(one) for one in (plain_, mail, own)] == ["slow", "mail", "own"]
    app.conf.task_routes = UNSET
    assert [queue(one) for one in (plain_, mail)] == ["slow", "slow"]


def test_routes_hold_for_all_ways_to_call_a_task(app: Scheduler) -> None:
    mail = add(app, "app.mail.send")
    app.conf.task_routes = {"app.mail.*": "mail"}
    assert [result.queue for result in app.schedule_many(mail, [((), {}), ((), {})])] == ["mail", "mail"]
    assert app.send_task("app.mail.elsewhere").queue == "mail"
    assert mail.s().delay().queue == "mail"
    (mail.s() | mail.si()).delay()
    app.add_periodic_task(every(minutes=5), mail.s(), name="each")
    assert app.run_schedule("each").queue == "mail"
    app.run_due()
    found = app.store.scan()
    assert {job.queue for job in found} == {"mail"}
    assert any(job.fire is not None for job in found)


def test_shared_tasks_go_where_the_scheduler_that_carries_them_says() -> None:
    shared = task(name="app.shared.conf")(lambda: None)
    with pytest.MonkeyPatch.context() as patch:
        app = Scheduler(MemoryStore(), clock=FakeClock())
        patch.setattr("hourwheel.tasks.default_app._default", app)
        app.conf.task_routes = {"app.shared.*": "shared"}
        assert shared.delay().queue == "shared"  # type: ignore[attr-defined]


def test_a_name_comes_before_patterns_and_of_these_the_first_that_fits() -> None:
    routes = Routes({"app.*": "a", "app.mail.*": "b", "app.mail.now": "c", "x?": "d", "[yz]": "e"}, "f")
    names = ("app.mail.now", "app.mail.later", "x1", "x", "y", "App.x")
    assert [routes.queue_of(name) for name in names] == ["c", "a", "d", "f", "e", "f"]


def test_a_task_is_looked_up_once(app: Scheduler, monkeypatch: pytest.MonkeyPatch) -> None:
    mail = add(app, "app.mail.send")
    app.conf.task_routes = {"app.mail.*": "mail"}
    asked: list[str] = []
    look_up = Routes.queue_of
    monkeypatch.setattr(Routes, "queue_of", lambda self, name: asked.append(name) or look_up(self, name))
    for _ in range(3):
        mail.delay()
    assert asked == ["app.mail.send"]


# ---- schedules -----------------------------------------------------------------------------------------------


def test_a_beat_schedule_is_scheduled(app: Scheduler) -> None:
    add(app, "shop.clean")
    app.conf.beat_schedule = {"clean": {"task": "shop.clean", "schedule": every(minutes=5)}}
    assert [(one.name, one.task) for one in app.schedules] == [("clean", "shop.clean")]
    app.config_from_object({"beat_schedule": {"other": {"task": "shop.clean", "schedule": 30}}, "timezone": "UTC"})
    assert app.conf.source("beat_schedule") == "app.conf"


def test_a_beat_schedule_of_an_object_is_scheduled_in_the_time_zone_of_that_object(app: Scheduler) -> None:
    from hourwheel import crontab

    said = {"CELERY_BEAT_SCHEDULE": {"a": {"task": "shop.clean", "schedule": crontab("0 7 * * *")}}}
    app.config_from_object({**said, "CELERY_TIMEZONE": "Asia/Tokyo"}, namespace="CELERY")
    [one] = app.fires.entries.values()
    after = one.schedule.after(int(datetime(2026, 1, 1, tzinfo=UTC).timestamp() * 1000))
    assert after == int(datetime(2026, 1, 1, 22, tzinfo=UTC).timestamp() * 1000)


def test_a_beat_schedule_that_cannot_be_read_changes_nothing(app: Scheduler) -> None:
    for do in (
        lambda: setattr(app.conf, "beat_schedule", {"a": {"task": "x"}}),
        lambda: app.config_from_object({"timezone": "Asia/Tokyo", "beat_schedule": {"a": {"task": "x"}}}),
    ):
        assert "beat_schedule['a'] must be a dict with task and schedule" in refused(do)
    assert (app.conf.beat_schedule, app.timezone, app.conf.timezone, app.schedules) == (None, UTC, "UTC", [])


def test_a_beat_schedule_is_given_in_code_only() -> None:
    assert "beat_schedule must be given in code" in refused(
        lambda: Conf(environ={"HOURWHEEL_BEAT_SCHEDULE": "x"}).all()
    )
    toml("[beat_schedule.a]\ntask = 'x'\nschedule = 30\n")
    assert "beat_schedule must be given in code" in refused(lambda: Conf(environ={}).all())


def test_no_setting_is_hidden_by_something_else_that_conf_has() -> None:
    assert set(SETTINGS) & set(vars(Conf)) == set()
    assert set(SETTINGS) & set(dir(Mapping)) == set()
