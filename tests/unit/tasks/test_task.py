"""Tasks: what the decorators make, the ways to call one later, and what is refused at the call."""

from __future__ import annotations

import asyncio
import functools
import sys
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import Any

import pytest
from hourwheel.contract import Found, OnConflict
from hourwheel.errors import DuplicateJob, InvalidValue, NoScheduler, NotRegistered, PayloadError
from hourwheel.events import Events
from hourwheel.job import Job, State
from hourwheel.results.many import Results
from hourwheel.results.result import AsyncResult
from hourwheel.store.memory import MemoryStore
from hourwheel.tasks import context
from hourwheel.tasks.decorator import TaskDecorator, task
from hourwheel.tasks.default_app import get_default, offer_default, set_default, withdraw_default
from hourwheel.tasks.naming import origin_of
from hourwheel.tasks.registry import SHARED, Registry
from hourwheel.tasks.sender import Call
from hourwheel.tasks.task import Task, send
from hourwheel.testing import FakeClock

NOW_MS = 1_767_225_600_000
LATER = datetime(2030, 1, 1, tzinfo=UTC)
LATER_MS = 1_893_456_000_000


class Desk:
    """As much of a scheduler as a task needs."""

    result_type = AsyncResult
    results_type = Results

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.clock = FakeClock(NOW_MS)
        self.registry = Registry(SHARED)
        self.result_ttl_ms = 5_000
        self.routes = None
        self.on = Events()
        self.task = TaskDecorator(self)
        self.submitted: list[tuple[bool, OnConflict]] = []

    def submit(self, job: Job, *, fresh: bool = False, on_conflict: OnConflict = "keep") -> str:
        self.submitted.append((fresh, on_conflict))
        return self.store.add([job], 0, fresh=fresh, on_conflict=on_conflict)[0]

    def only(self) -> Job:
        (job,) = self.store.scan()
        return job


@pytest.fixture
def app() -> Desk:
    return Desk()


@pytest.fixture
def remind(app: Desk) -> Task[..., str]:
    @app.task(name="app.remind")
    def remind(user_id: int, text: str = "", *, urgent: bool = False) -> str:
        """Remind a user."""
        return f"{user_id} {text} {urgent}"

    return remind


# ---- decorating


def test_a_decorator_with_and_without_parentheses_makes_a_task_of_the_same_name(app: Desk) -> None:
    def remind() -> int:
        return 1

    for decorator in (app.task, app.task(), app.task(queue="mail")):
        made = decorator(remind)
        assert isinstance(made, Task)
        assert (
            made.name
            == f"{__name__}.test_a_decorator_with_and_without_parentheses_makes_a_task_of_the_same_name.remind"
        )
        assert app.registry.get(made.name) is made


def test_a_task_looks_like_its_function(remind: Task[..., str]) -> None:
    assert remind.__name__ == "remind"
    assert remind.__doc__ == "Remind a user."
    assert remind.__module__ == __name__
    assert repr(remind) == "<Task app.remind>"


def test_a_plain_call_runs_here_and_now_and_stores_nothing(app: Desk, remind: Task[..., str]) -> None:
    assert remind(1, "x", urgent=True) == "1 x True"
    assert app.store.scan() == []


def test_a_bound_task_is_passed_to_its_function_in_front(app: Desk) -> None:
    @app.task(bind=True)
    def bound(self: Task[..., Any], number: int) -> tuple[Any, int, Job | None]:
        return self, number, self.job

    assert bound(3) == (bound, 3, None)
    assert bound.delay(3).job().args == (3,)  # type: ignore[union-attr]
    with pytest.raises(TypeError, match=r"bound\(\) takes 2 positional arguments but 3 were given"):
        bound.delay(3, 4)
    job = app.only()
    context._CURRENT.set(job)
    try:
        assert bound.job is job
    finally:
        context._CURRENT.set(None)


def test_the_options_of_a_task_have_the_defaults_that_celery_gives_them(remind: Task[..., str]) -> None:
    assert (remind.max_retries, remind.default_retry_delay, remind.bind, remind.aliases) == (3, 180, False, ())


def test_the_options_of_a_task_are_kept_and_those_of_calls_stand_for_each_call(app: Desk) -> None:
    @app.task(
        name="mail.send",
        aliases=["old.send"],
        max_retries=None,
        default_retry_delay=timedelta(seconds=5),
        countdown=60,
        queue="mail",
        priority=7,
        expires=3600,
        acks_early=True,
        result_ttl=1,
        key="one",
        on_conflict="replace",
    )
    def send_mail() -> None: ...

    assert (send_mail.max_retries, send_mail.default_retry_delay) == (None, timedelta(seconds=5))
    assert app.registry.get("old.send") is send_mail
    send_mail.delay()
    job = app.only()
    assert (job.task, job.queue, job.priority, job.key, job.max_crashes, job.result_ttl_ms) == (
        ("mail.send", "mail", 7, "one", 1, 1_000)
    )
    assert (job.due_ms, job.expires_ms) == (NOW_MS + 60_000, NOW_MS + 3_600_000)
    assert app.submitted == [(False, "replace")]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rate": "10/m"}, "option must be one of acks_early, aliases, autoretry_for, bind, .* got 'rate'"),
        ({"eta": LATER}, "option must be one of"),
        ({"task_id": "a"}, "option must be one of"),
        ({"name": ""}, "name must be 1 to 200 visible characters, with blanks only between them"),
        ({"name": "a "}, "name must be"),
        ({"name": "a\nb"}, "name must be"),
        ({"name": "a\u200bb"}, "name must be"),
        ({"name": 7}, "name must be"),
        ({"aliases": "old"}, "aliases must be a list of names, got 'old'"),
        ({"aliases": [""]}, "aliases must be 1 to 200 visible characters"),
        ({"bind": 1}, "bind must be True or False, got 1"),
        ({"max_retries": -1}, "max_retries must be a whole number, zero or more, or None, got -1"),
        ({"max_retries": 1.5}, "max_retries must be"),
        ({"default_retry_delay": -1}, "default_retry_delay must be a number of seconds"),
        ({"countdown": -1}, "countdown must be a number of seconds or a timedelta, zero or more, got -1"),
        ({"countdown": "1"}, "countdown must be"),
        ({"priority": "high"}, "priority must be"),
    ],
)
def test_an_option_that_breaks_its_rule_or_is_unknown_is_refused_at_the_decorator(
    app: Desk, options: dict[str, Any], message: str
) -> None:
    def fn() -> None: ...

    with pytest.raises(InvalidValue, match=message):
        app.task(**options)(fn)
    assert app.registry.names() == []


@pytest.mark.parametrize("what", [7, "name", dict, TaskDecorator])
def test_only_a_function_can_be_a_task(app: Desk, what: Any) -> None:
    with pytest.raises(InvalidValue, match="task must be made of a function"):
        app.task(what)


def test_a_task_of_a_task_is_refused(app: Desk, remind: Task[..., str]) -> None:
    with pytest.raises(
        InvalidValue, match=r"task must be made of a function \(it is a task already.*\), got <Task app.remind>"
    ):
        app.task(remind)


class Shop:
    def method(self, to: str) -> None: ...
    def __call__(self) -> None: ...
    @classmethod
    def of_class(cls) -> None: ...
    @staticmethod
    def of_nothing(to: str) -> str:
        return to


def yields() -> Any:
    yield 1


async def yields_later() -> Any:
    yield 1


class Yielding:
    def __call__(self) -> Any:
        yield 1


@pytest.mark.parametrize(
    ("what", "hint"),
    [
        (yields, "it is a generator, whose code would never run: return a list"),
        (yields_later, "it is a generator"),
        (functools.partial(yields), "it is a generator"),
        (Yielding(), "it is a generator"),
        (staticmethod(yields), "it is a generator"),
        (Shop.method, "it is a method, and its object would be missing: move it out of the class"),
        (Shop.__dict__["of_class"], "remove @classmethod"),
        (Shop, "write one that calls the class"),
    ],
)
def test_a_task_that_would_run_no_code_of_its_own_is_refused_where_it_is_made(app: Desk, what: Any, hint: str) -> None:
    with pytest.raises(InvalidValue, match=hint):
        app.task(name="shop.task")(what)


def test_what_is_called_without_more_than_its_arguments_can_be_a_task(app: Desk) -> None:
    made = [Shop().method, Shop(), Shop.of_nothing, Shop.__dict__["of_nothing"], Shop.of_class, functools.partial(len)]
    for number, fn in enumerate(made):
        app.task(name=f"shop.{number}")(fn)
    assert app.task(name="bound", bind=True)(Shop.method)("ann") is None


def test_more_than_one_positional_argument_is_a_type_error(app: Desk) -> None:
    with pytest.raises(TypeError):
        app.task(len, len)  # type: ignore[call-overload]


def test_a_function_without_a_name_must_be_given_one(app: Desk) -> None:
    for fn in (lambda: 1, functools.partial(int, "1")):
        with pytest.raises(InvalidValue, match="name must be given for a task made of a lambda or a callable object"):
            app.task(fn)
        assert app.task(name=f"app.{type(fn).__name__}")(fn)() == 1


# ---- names


def fn_of(module: str) -> Any:
    def fn() -> None: ...

    fn.__module__, fn.__qualname__ = module, "fn"
    return fn


def main_module(monkeypatch: pytest.MonkeyPatch, name: str, **attributes: Any) -> None:
    module = ModuleType(name)
    module.__dict__.update({"__spec__": None}, **attributes)
    monkeypatch.setitem(sys.modules, name, module)


class Spec:
    def __init__(self, name: str) -> None:
        self.name = name


@pytest.mark.parametrize("main", ["__main__", "__mp_main__"])
def test_a_script_names_its_tasks_as_the_worker_that_imports_it_does(
    monkeypatch: pytest.MonkeyPatch, main: str
) -> None:
    main_module(monkeypatch, main, __file__="/srv/shop/app.py")
    assert origin_of(fn_of(main)) == ("app", "fn")
    assert Task(fn_of(main), None).name == "app.fn"
    assert Task(fn_of("app"), None).name == "app.fn"


def test_a_module_run_by_python_m_has_the_name_it_is_imported_by(monkeypatch: pytest.MonkeyPatch) -> None:
    main_module(monkeypatch, "__main__", __file__="/srv/shop/app.py", __spec__=Spec("shop.app"))
    assert origin_of(fn_of("__main__")) == ("shop.app", "fn")


def test_in_a_console_the_module_is_main(monkeypatch: pytest.MonkeyPatch) -> None:
    main_module(monkeypatch, "__main__")
    assert origin_of(fn_of("__main__")) == ("__main__", "fn")


def test_a_script_that_is_imported_too_registers_its_functions_twice_without_a_quarrel(
    monkeypatch: pytest.MonkeyPatch, app: Desk
) -> None:
    main_module(monkeypatch, "__main__", __file__="/srv/shop/app.py")
    app.task(fn_of("__main__"))
    newest = app.task(fn_of("app"))
    assert app.registry.get("app.fn") is newest


# ---- calling later


def test_delay_stores_a_job_that_is_due_now(app: Desk, remind: Task[..., str]) -> None:
    result = remind.delay(1, text="x")
    job = app.only()
    assert job == Job(
        id=result.id,
        task="app.remind",
        payload='[[1],{"text":"x"}]',
        due_ms=NOW_MS,
        created_ms=NOW_MS,
        result_ttl_ms=5_000,
    )
    assert app.submitted == [(True, "keep")]


@pytest.mark.parametrize(
    ("call", "due_ms"),
    [
        (lambda remind: remind.delay(1, "x", countdown=900), NOW_MS + 900_000),
        (lambda remind: remind.delay(1, "x", countdown=0.0015), NOW_MS + 2),
        (lambda remind: remind.delay(1, "x", countdown=timedelta(minutes=15)), NOW_MS + 900_000),
        (lambda remind: remind.delay(1, "x", countdown=0), NOW_MS),
        (lambda remind: remind.delay(1, "x", countdown=None, eta=None), NOW_MS),
        (lambda remind: remind.delay(1, "x", eta=LATER), LATER_MS),
        (lambda remind: remind.apply_async((1, "x"), countdown=900), NOW_MS + 900_000),
        (lambda remind: remind.apply_async([1], {"text": "x"}, eta=LATER), LATER_MS),
        (lambda remind: remind.apply_async((1, "x")), NOW_MS),
        (lambda remind: remind.apply_async(kwargs={"user_id": 1, "text": "x"}, countdown=None), NOW_MS),
        (lambda remind: remind.after(900).delay(1, "x"), NOW_MS + 900_000),
        (lambda remind: remind.after(timedelta(hours=1)).apply_async((1, "x")), NOW_MS + 3_600_000),
        (lambda remind: remind.at(LATER).delay(1, "x"), LATER_MS),
        (lambda remind: remind.options(countdown=5).delay(1, "x"), NOW_MS + 5_000),
        (lambda remind: remind.options(eta=LATER).delay(1, "x"), LATER_MS),
        (lambda remind: remind.options(queue="a").after(1).options(priority=2).delay(1, "x"), NOW_MS + 1_000),
        (lambda remind: remind.after(5).after(7).delay(1, "x"), NOW_MS + 7_000),
        (lambda remind: remind.after(5).at(LATER).delay(1, "x"), LATER_MS),
        (lambda remind: remind.at(LATER).after(5).delay(1, "x"), NOW_MS + 5_000),
        (lambda remind: remind.after(5).delay(1, "x", countdown=9), NOW_MS + 9_000),
        (lambda remind: remind.at(LATER).apply_async((1, "x"), countdown=9), NOW_MS + 9_000),
        (lambda remind: remind.after(5).options(eta=LATER).delay(1, "x"), LATER_MS),
    ],
)
def test_every_way_to_say_when_and_the_last_word_counts(
    app: Desk, remind: Task[..., str], call: Any, due_ms: int
) -> None:
    result = call(remind)
    job = app.only()
    assert (job.id, job.due_ms) == (result.id, due_ms)
    assert remind(*job.args, **job.kwargs) == "1 x False"


def test_the_countdown_of_a_task_gives_way_to_any_time_that_a_call_names(app: Desk) -> None:
    @app.task(countdown=60)
    def later() -> None: ...

    for call, due_ms in (
        (later.delay, NOW_MS + 60_000),
        (later.options(queue="a").delay, NOW_MS + 60_000),
        (later.at(LATER).delay, LATER_MS),
        (lambda: later.delay(countdown=0), NOW_MS),
        (lambda: later.apply_async(eta=LATER), LATER_MS),
    ):
        assert call().job().due_ms == due_ms  # type: ignore[operator]


def test_options_reach_the_job(app: Desk, remind: Task[..., str]) -> None:
    call = remind.options(queue="mail", priority=5, expires=60, acks_early=True)
    assert repr(call) == "<Call of app.remind>"
    for result in (call.delay(1), call.after(3).delay(1), remind.apply_async((1,), **call_options())):
        job = result.job()
        assert job is not None
        assert (job.queue, job.priority, job.expires_ms, job.max_crashes) == ("mail", 5, NOW_MS + 60_000, 1)
    assert remind.delay(1).job().queue == "default"  # type: ignore[union-attr]


def call_options() -> Any:
    return {"queue": "mail", "priority": 5, "expires": 60, "acks_early": True}


def test_countdown_and_eta_are_the_functions_own_if_it_has_parameters_of_that_name(app: Desk) -> None:
    @app.task
    def launch(countdown: int, eta: str = "") -> None: ...

    result = launch.delay(10, eta="soon")
    assert (result.job().due_ms, result.job().kwargs) == (NOW_MS, {"eta": "soon"})  # type: ignore[union-attr]
    result = launch.after(900).delay(countdown=10)
    assert (result.job().due_ms, result.job().kwargs) == (NOW_MS + 900_000, {"countdown": 10})  # type: ignore[union-attr]
    result = launch.apply_async(kwargs={"countdown": 10}, countdown=60)
    assert (result.job().due_ms, result.job().kwargs) == (NOW_MS + 60_000, {"countdown": 10})  # type: ignore[union-attr]


def test_each_of_the_two_is_looked_at_for_itself(app: Desk) -> None:
    @app.task
    def launch(eta: str) -> None: ...

    job = launch.delay(eta="soon", countdown=5).job()
    assert job is not None
    assert (job.due_ms, job.kwargs) == (NOW_MS + 5_000, {"eta": "soon"})


def test_a_functions_double_star_is_no_parameter_of_that_name(app: Desk) -> None:
    @app.task
    def anything(**kwargs: Any) -> None: ...

    job = anything.delay(a=1, countdown=5).job()
    assert job is not None
    assert (job.due_ms, job.kwargs) == (NOW_MS + 5_000, {"a": 1})


def test_a_wrapped_function_keeps_its_own_countdown(app: Desk) -> None:
    def launch(countdown: int) -> None: ...

    @functools.wraps(launch)
    def wrapper(*args: Any, **kwargs: Any) -> None:
        launch(*args, **kwargs)

    job = app.task(wrapper).delay(countdown=10).job()
    assert job is not None
    assert (job.due_ms, job.kwargs) == (NOW_MS, {"countdown": 10})


@pytest.mark.parametrize("name", ["self", "task", "args", "kwargs", "plan", "scheduler", "name", "queue"])
def test_a_function_may_name_its_parameters_as_it_likes(app: Desk, name: str) -> None:
    space: dict[str, Any] = {}
    exec(f"def fn({name}): return {name}", space)  # noqa: S102 - a parameter of any name
    made = app.task(name="app.fn")(space["fn"])
    job = made.delay(**{name: 7}).job()
    assert job is not None
    assert job.kwargs == {name: 7}
    assert made(**{name: 7}) == 7


def test_what_after_gives_can_be_used_again_and_again(app: Desk, remind: Task[..., str]) -> None:
    later = remind.after(10)
    assert isinstance(later, Call)
    first = later.delay(1)
    app.clock.advance(5)
    second = later.delay(1)
    assert first != second
    assert (first.job().due_ms, second.job().due_ms) == (NOW_MS + 10_000, NOW_MS + 15_000)  # type: ignore[union-attr]


# ---- what is refused at the call: nothing is written


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda remind: remind.delay(), r"remind\(\) missing 1 required positional argument: 'user_id'"),
        (
            lambda remind: remind.delay(1, "x", True),
            r"remind\(\) takes from 1 to 2 positional arguments but 3 were given",
        ),
        (lambda remind: remind.delay(1, wrong=2), r"remind\(\) got an unexpected keyword argument 'wrong'"),
        (lambda remind: remind.delay(1, user_id=1), r"remind\(\) got multiple values for argument 'user_id'"),
        (lambda remind: remind.delay(countdown=5), r"remind\(\) missing 1 required positional argument: 'user_id'"),
        (lambda remind: remind.after(5).delay(), r"remind\(\) missing 1 required positional argument: 'user_id'"),
        (lambda remind: remind.apply_async(), r"remind\(\) missing 1 required positional argument: 'user_id'"),
        (lambda remind: remind.apply_async((1,), {1: 2}), "keywords must be strings"),
    ],
)
def test_arguments_that_do_not_fit_are_a_type_error_at_the_call_in_pythons_words(
    app: Desk, remind: Task[..., str], call: Any, message: str
) -> None:
    with pytest.raises(TypeError, match=message):
        call(remind)
    assert app.store.scan() == []


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda remind: remind.delay(1, countdown=5, eta=LATER), "pass countdown or eta, not both"),
        (lambda remind: remind.apply_async((1,), countdown=5, eta=LATER), "pass countdown or eta, not both"),
        (lambda remind: remind.options(countdown=5, eta=LATER), "pass countdown or eta, not both"),
        (lambda remind: remind.delay(1, countdown=-1), "countdown must be a number of seconds"),
        (lambda remind: remind.delay(1, countdown="5"), "countdown must be a number of seconds"),
        (lambda remind: remind.delay(1, eta=datetime(2030, 1, 1)), "eta must be an aware datetime.*astimezone"),
        (lambda remind: remind.after(None), "delay must be a number of seconds or a timedelta, zero or more, got None"),
        (lambda remind: remind.after(-1), "delay must be"),
        (lambda remind: remind.at(None), "when must be an aware datetime, got None"),
        (lambda remind: remind.at(datetime(2030, 1, 1)), "when must be an aware datetime"),
        (lambda remind: remind.options(eta=datetime(2030, 1, 1)), "eta must be an aware datetime"),
        (lambda remind: remind.apply_async((1,), countdwon=5), "option must be one of acks_early, .*countdown, eta"),
        (lambda remind: remind.apply_async((1,), serializer="pickle"), "option must be one of"),
        (lambda remind: remind.options(quue="a"), "option must be one of"),
        (lambda remind: remind.apply_async("ab"), "args must be a tuple or list, got 'ab'"),
        (lambda remind: remind.apply_async((1,), [2]), r"kwargs must be a dict, got \[2\]"),
        (lambda remind: remind.apply_async((1,), task_id="a b"), "task_id must be a UUID"),
    ],
)
def test_options_that_break_their_rules_are_refused_at_the_call(
    app: Desk, remind: Task[..., str], call: Any, message: str
) -> None:
    with pytest.raises(InvalidValue, match=message):
        call(remind)
    assert app.store.scan() == []


def test_arguments_that_are_not_json_are_refused_at_the_call(app: Desk, remind: Task[..., str]) -> None:
    with pytest.raises(PayloadError, match=r"args\[1\] must be .* got datetime.datetime; pass value.isoformat\(\)"):
        remind.delay(1, LATER)
    with pytest.raises(PayloadError, match=r'kwargs\["text"\] must be .* got .*Desk; pass an id, not an object'):
        remind.apply_async((1,), {"text": app}, countdown=5)
    assert app.store.scan() == []


# ---- ids and keys


def test_the_same_task_id_again_adds_nothing(app: Desk, remind: Task[..., str]) -> None:
    first = remind.apply_async((1,), task_id="ORDER-7")
    second = remind.apply_async((2,), task_id="ORDER-7")
    assert first == second
    assert app.only().args == (1,)
    assert app.submitted == [(False, "keep"), (False, "keep")]


def test_a_uuid_is_one_id_however_it_is_spelt(app: Desk, remind: Task[..., str]) -> None:
    result = remind.apply_async((1,), task_id="0192E4C0A1B27C3D8E4F5A6B7C8D9E0F")
    assert result.id == "0192e4c0-a1b2-7c3d-8e4f-5a6b7c8d9e0f"
    assert result.state == State.SCHEDULED


def test_a_key_keeps_the_first_job_or_replaces_it_or_raises(app: Desk, remind: Task[..., str]) -> None:
    first = remind.options(key="cart 7").after(60).delay(1)
    kept = remind.options(key="cart 7").delay(2)
    assert kept == first
    with pytest.raises(DuplicateJob):
        remind.options(key="cart 7", on_conflict="raise").delay(3)
    newer = remind.options(key="cart 7", on_conflict="replace").delay(4)
    assert newer != first
    assert (first.state, newer.state) == (State.CANCELLED, State.SCHEDULED)


# ---- many at once, and by name


def test_prepare_makes_jobs_of_many_calls_at_one_instant_and_stores_nothing(app: Desk, remind: Task[..., str]) -> None:
    jobs, plan = remind.prepare([((1, "x"), {}), ([2], {"text": "y"})], countdown=900, queue="mail")
    assert [(job.args, job.kwargs, job.due_ms, job.queue) for job in jobs] == [
        ((1, "x"), {}, NOW_MS + 900_000, "mail"),
        ((2,), {"text": "y"}, NOW_MS + 900_000, "mail"),
    ]
    assert [job.id for job in jobs] == sorted({job.id for job in jobs})
    assert plan.fresh
    assert app.store.scan() == []


def test_prepare_refuses_all_if_one_does_not_fit(remind: Task[..., str]) -> None:
    with pytest.raises(TypeError, match="missing 1 required"):
        remind.prepare([((1,), {}), ((), {})])
    with pytest.raises(PayloadError):
        remind.prepare([((1,), {}), ((1, b""), {})])


def test_a_call_can_be_sent_by_name_though_nobody_here_knows_the_task(app: Desk, remind: Task[..., str]) -> None:
    result = send(app, "elsewhere.task", (1,), {}, remind.plan, 5)
    job = result.job()
    assert job is not None
    assert (job.task, job.args, job.due_ms) == ("elsewhere.task", (1,), NOW_MS + 5_000)


# ---- shared tasks


def test_a_shared_task_works_before_any_scheduler_exists_and_says_what_is_missing() -> None:
    @task
    def shared(number: int) -> int:
        return number * 2

    assert shared(2) == 4
    with pytest.raises(
        NoScheduler, match=r'create one first, app = Scheduler\("tasks.json"\), or .* set_default\(app\)'
    ):
        shared.delay(2)
    with pytest.raises(NoScheduler):
        shared.scheduler  # noqa: B018 - it raises


def test_a_shared_task_is_carried_by_the_default_scheduler_at_the_time_of_the_call() -> None:
    @task(countdown=5)
    def shared(number: int) -> int:
        return number * 2

    first, second = Desk(), Desk()
    offer_default(first)
    offer_default(second)
    assert get_default() is first
    assert shared.scheduler is first
    shared.delay(2)
    set_default(second)
    shared.after(1).delay(3)
    assert (first.only().args, second.only().args) == ((2,), (3,))
    withdraw_default(first)
    assert get_default() is second
    withdraw_default(second)
    with pytest.raises(NoScheduler):
        get_default()


def test_every_scheduler_can_run_a_shared_task_and_may_have_its_own_of_that_name(app: Desk) -> None:
    @task(name="app.shared")
    def shared() -> None: ...

    @app.task(name="app.shared")
    def own() -> None: ...

    other = Desk()
    assert other.registry.get("app.shared") is shared
    assert app.registry.get("app.shared") is own
    with pytest.raises(NotRegistered):
        other.registry.get("app.own")


def test_a_result_can_be_cancelled_and_moved(app: Desk, remind: Task[..., str]) -> None:
    result = remind.after(900).delay(1)
    assert result.reschedule(countdown=60) is Found.SCHEDULED
    assert app.only().due_ms == NOW_MS + 60_000
    assert result.cancel() is Found.SCHEDULED
    assert result.state == State.CANCELLED


def test_a_coroutine_may_call_later_without_stopping_its_loop(app: Desk, remind: Task[..., str]) -> None:
    async def main() -> list[str]:
        first = await remind.after(60).adelay(1, "x", urgent=True)
        second = await remind.aapply_async((2,), {"text": "y"}, queue="mail")
        return [first.id, second.id]

    ids = asyncio.run(main())
    jobs = {job.id: job for job in app.store.scan()}
    assert [(jobs[id].args, jobs[id].kwargs, jobs[id].queue) for id in ids] == [
        ((1, "x"), {"urgent": True}, "default"),
        ((2,), {"text": "y"}, "mail"),
    ]
    assert jobs[ids[0]].due_ms == NOW_MS + 60_000
