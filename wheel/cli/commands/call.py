"""``hourwheel call``: call a task later, from the shell."""

from __future__ import annotations

from argparse import ArgumentTypeError, Namespace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ...clock import as_datetime
from ...contract import Store, find
from ...errors import NotRegistered, PayloadError
from ...explain.known import near
from ...explain.when import read_span, utc
from ...payload import decode
from ..command import STORE_OPTION, Command, Context, argument, as_json, checked, due_time
from ..outcome import YES, CommandError
from ..places import STORE_VARIABLE, app_of, named_store, opened, take_store

if TYPE_CHECKING:
    from ...scheduler.scheduler import Scheduler
    from ...tasks.task import Task

_Call = tuple[tuple[Any, ...], dict[str, Any]]


def value(text: str) -> Any:
    """Read an argument: a JSON value, or plain text if it is not JSON.

    >>> value("7"), value("hello"), value('"7"'), value("[1,null]")
    (7, 'hello', '7', [1, None])
    """
    try:
        return decode(text)
    except PayloadError:
        return text


def json_object(text: str) -> dict[str, Any]:
    found = value(text)
    if not isinstance(found, dict):
        raise ArgumentTypeError(f'must be a JSON object such as \'{{"text": "x"}}\', got {text!r}')
    return found


def json_list(text: str) -> list[Any]:
    found = value(text)
    if not isinstance(found, list):
        raise ArgumentTypeError(f"must be a JSON list such as '[7, \"x\"]', got {text!r}")
    return found


def integer(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ArgumentTypeError(f"must be a whole number, got {text!r}") from None


@Command(
    name="call",
    summary="call a task later, and print the job's id",
    description="Store a call of a task, durably. With -A, the app must have the task, the arguments must fit the "
    "function, and the task's options apply. With --store alone, the call is stored by the task's name, unchecked.",
    examples=(
        'hourwheel call shop.mail.welcome 7 "hello there" -A shop --countdown 15m',
        'hourwheel call shop.mail.welcome 7 -k \'{"text":"x"}\' --store tasks.json',
    ),
    takes=(
        argument("task", metavar="TASK", help="name of the task, such as shop.welcome; STORE may stand before it"),
        argument(
            "arg", nargs="*", metavar="ARG", help="its arguments as JSON values; other text is passed as a string"
        ),
        argument("-a", "--args", metavar="JSON", type=json_list, help="all arguments as one JSON list, instead"),
        argument(
            "-k", "--kwargs", metavar="JSON", type=json_object, default={}, help="keyword arguments as a JSON object"
        ),
        due_time(),
        argument("--expires", metavar="SPAN", type=checked(read_span), help="how long from now it may start"),
        argument("--queue", metavar="NAME", help="its queue; default: the task's"),
        argument("--priority", metavar="N", type=integer, help="-100 to 100; higher runs first"),
        argument("--key", metavar="KEY", help="unique key: if an unfinished job has it, no job is added"),
        argument("--id", metavar="ID", help="id of the job; if the store has it already, no job is added"),
        *STORE_OPTION,
        as_json("the id and when it is due"),
    ),
    intermixed=True,
    use="changes",
)
def call(args: Namespace, context: Context) -> int:
    if args.arg and args.args is not None:
        raise CommandError("pass the arguments as ARG or with --args, not both")
    call = tuple(map(value, args.arg)) if args.args is None else tuple(args.args), args.kwargs
    if args.arg:
        take_store(args, words := [args.task, *args.arg])
        args.task, *args.arg = words
    named = args.app or not (named_store(args) or context.environ.get(STORE_VARIABLE))
    id, due_ms = (_checked if named else _by_name)(args, context, call, _options(args))
    if args.json:
        context.console.json({"id": id, "due_ms": due_ms, "due": utc(due_ms)})
    else:
        context.console.raw(id)
    return YES


def _options(args: Namespace) -> dict[str, Any]:
    """The options that were given, as arguments of apply_async()."""
    eta: datetime | None = None if args.eta is None else as_datetime(args.eta)
    given = {
        "countdown": None if args.countdown is None else args.countdown / 1000,
        "eta": eta,
        "expires": None if args.expires is None else args.expires / 1000,
        "queue": args.queue,
        "priority": args.priority,
        "key": args.key,
        "task_id": args.id,
    }
    return {name: one for name, one in given.items() if one is not None}


def _by_name(args: Namespace, context: Context, call: _Call, options: dict[str, Any]) -> tuple[str, int | None]:
    """Store the call by the task's name, without an app that knows the task."""
    from ...scheduler.scheduler import Scheduler

    with opened(args, context.environ) as store:
        app = Scheduler(store, clock=context.clock)
        try:
            id = app.send_task(args.task, *call, **options).id
        finally:
            app.close()
        return id, _due_ms(store, id)


def _checked(args: Namespace, context: Context, call: _Call, options: dict[str, Any]) -> tuple[str, int | None]:
    """Store the call as the app would: with the task's options, after checking the arguments."""
    app = app_of(args, context.environ)
    task = task_of(app, args.task)
    try:
        jobs, plan = task.prepare([call], **options)
    except TypeError as error:
        if isinstance(error, PayloadError):
            raise
        raise CommandError(f"{task.name} cannot be called with these arguments: {error}") from None
    if named_store(args):
        with opened(args, context.environ) as store:
            id = store.add(jobs, context.clock.now_ms(), on_conflict=plan.on_conflict, fresh=plan.fresh)[0]
            return id, _due_ms(store, id)
    try:
        id = app.submit_many(jobs, fresh=plan.fresh, on_conflict=plan.on_conflict)[0]
        return id, _due_ms(app.store, id)
    finally:
        app.close()


def _due_ms(store: Store, id: str) -> int | None:
    job = find(store, id)
    return None if job is None else job.due_ms


def task_of(app: Scheduler, name: str) -> Task[..., Any]:
    try:
        return app.registry.get(name)
    except NotRegistered:
        like = near(name, app.registry)
        guess = f"did you mean {' or '.join(like)}? " if like else ""
        message = f"the app has no task {name}; {guess}to call it by name anyway, use --store without -A"
        raise CommandError(message) from None
