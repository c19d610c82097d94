"""Absent: names that Celery has and that have no meaning here. Each says why, and what to do instead."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NoReturn

_BROKER: Final = "there is no broker; jobs are in the store, app.store"
_RESULTS: Final = "there is no result backend; results are in the store: app.AsyncResult(id)"
_WORKER: Final = "a worker is `hourwheel worker -A ...`, or the app itself: with app: ..."
_LOG: Final = "logging is the program's own; connect the signal setup_logging, or use the logging module"
_EVENTS: Final = "workers send no events; connect signals, or look at the store with `hourwheel jobs`"
_STAMPS: Final = "calls have no stamps; pass what you need as an argument"
_OWN: Final = "it belongs to how Celery runs a task; override __call__ or connect task_prerun"
_FIXED: Final = "a group's result is made of its jobs and does not change; make another GroupResult(results=...)"
_GRAPH: Final = "a result has no graph; see .parent, .children, and `hourwheel why ID`"
_DICT: Final = "a signature is no dict; use set(), link(), clone(), or make another one"


class Absent:
    """An attribute that raises AttributeError with advice."""

    def __init__(self, name: str, advice: str) -> None:
        self._name = name
        self._advice = advice

    def __get__(self, _: object, owner: type) -> NoReturn:
        raise AttributeError(f"{owner.__name__}.{self._name} is not there: {self._advice}")


APP: Final[Mapping[str, str]] = {
    **dict.fromkeys("amqp amqp_cls connection connection_for_read connection_for_write connection_or_acquire "
        "broker_connection default_connection producer_pool producer_or_acquire default_producer".split(), _BROKER),
    **dict.fromkeys("backend backend_cls".split(), _RESULTS),
    **dict.fromkeys("Worker WorkController Beat steps user_options".split(), _WORKER),
    **dict.fromkeys("log log_cls".split(), _LOG),
    **dict.fromkeys("events events_cls".split(), _EVENTS),
    **dict.fromkeys("loader loader_cls config_from_cmdline prepare_config namespace annotations "
        "builtin_fixups fixups".split(), "settings are read by config_from_object() and conf"),
    "setup_security": "messages are not signed: the store's files belong to one user",
    **dict.fromkeys("subclass_with_self registry_cls control_cls type_checker thread_oid use_fast_trace_task "
        "strict_typing autofinalize set_as_current on_init task_cls".split(), "it belongs to how Celery makes an app"),
}  # fmt: skip
TASK: Final[Mapping[str, str]] = {
    **dict.fromkeys("Request Strategy annotate from_config add_around pop_request push_request request_stack "
        "signature_from_request subtask_from_request add_to_chord on_replace resultrepr_maxsize "
        "start_strategy".split(), _OWN),
    "send_event": _EVENTS,
}  # fmt: skip
REQUEST: Final[Mapping[str, str]] = {
    "as_execution_options": "pass the options that you mean to apply_async()",
    **dict.fromkeys("stamps stamped_headers".split(), _STAMPS),
}
RESULT: Final[Mapping[str, str]] = {
    "backend": _RESULTS,
    **dict.fromkeys("graph build_graph get_leaf".split(), _GRAPH),
    "on_ready": "nothing waits for results in the caller's process; pass link= to apply_async()",
    "revoke_by_stamped_headers": _STAMPS,
}
GROUP: Final[Mapping[str, str]] = {
    **{name: advice for name, advice in RESULT.items() if name in ("backend", "on_ready")},
    **dict.fromkeys("add clear discard remove update".split(), _FIXED),
    "then": RESULT["on_ready"],
}
CANVAS: Final[Mapping[str, str]] = {
    **dict.fromkeys("TYPES append_to_list_option clear election extend_list_option flatten_links fromkeys pop popitem "
        "register_type setdefault update".split(), _DICT),
    **dict.fromkeys("stamp stamp_links".split(), _STAMPS),
    **dict.fromkeys("parent_id root_id".split(), "it is known when the canvas has been called: result.parent"),
}  # fmt: skip
MANY: Final[Mapping[str, str]] = {
    **CANVAS,
    **dict.fromkeys("args kwargs options immutable name task get items keys values copy type from_dict subtask_type "
        "replace set_immutable unchain_tasks prepare_steps".split(), _DICT),
    **dict.fromkeys("id freeze AsyncResult".split(), "its ids are known when it has been called"),
}  # fmt: skip
CONTROL: Final[Mapping[str, str]] = {
    "revoke_by_stamped_headers": _STAMPS,
    **dict.fromkeys("Mailbox mailbox".split(), _BROKER),
}
INSPECT: Final[Mapping[str, str]] = {
    **dict.fromkeys("callback clock connection destination limit matcher pattern timeout".split(), _BROKER),
    **dict.fromkeys("hello memdump memsample objgraph report conf revoked active_queues".split(),
        "workers answer no questions; see `hourwheel stats`, `jobs`, `config` and `why`"),
}  # fmt: skip


def forbid(cls: type[Any], names: Mapping[str, str]) -> None:
    """Make names of a class say what to do instead, unless it has them."""
    for name, advice in names.items():
        if name not in vars(cls):
            setattr(cls, name, Absent(name, advice))
