"""Routes: the queue of a call where neither the call nor its task says one, by the name of the task.

A task is looked up once, at its first call; later ones find the plan that was made for it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from fnmatch import translate
from types import MappingProxyType
from typing import Any, Final

from ...errors import InvalidValue
from ...job import DEFAULT_QUEUE
from .plan import Plan, checked_queue

_RULE: Final = 'a dict of queues by task names or patterns of them, such as {"app.mail.*": {"queue": "mail"}}'
_MAGIC: Final = re.compile(r"[*?\[]")


def checked_routes(value: Any) -> Mapping[str, str]:
    """The queue for each name or pattern, in the order given; a queue is its name, or as Celery has it a dict of it.

    Raises:
        InvalidValue: it is none, or a queue breaks its rule.

    >>> dict(checked_routes({"app.mail.*": {"queue": "mail"}, "app.sms": "sms"}))
    {'app.mail.*': 'mail', 'app.sms': 'sms'}
    """
    if not isinstance(value, Mapping):
        raise InvalidValue.of("task_routes", _RULE, value)
    found = {}
    for pattern, told in value.items():
        if type(pattern) is not str or not pattern:
            raise InvalidValue.of("task_routes", _RULE, value)
        found[pattern] = _queue(pattern, told)
    return MappingProxyType(found)


def _queue(pattern: str, told: Any) -> str:
    if isinstance(told, Mapping):
        for key in told:
            if key != "queue":
                raise InvalidValue.of(f"task_routes[{pattern!r}]", "a queue, or a dict with a queue alone", told)
        told = told.get("queue")
    try:
        return checked_queue(told)
    except InvalidValue as error:
        raise InvalidValue(f"task_routes[{pattern!r}]: {error}") from None


class Routes:
    """Which queue the calls of a task go to.

    A name comes before all patterns; of the patterns the first that fits is taken.

    >>> routes = Routes({"app.*": "slow", "app.mail.*": "mail", "app.mail.now": "fast"}, "default")
    >>> [routes.queue_of(name) for name in ("app.mail.now", "app.mail.later", "shop.x")]
    ['fast', 'slow', 'default']
    """

    def __init__(self, routes: Mapping[str, str], default: str = DEFAULT_QUEUE) -> None:
        self._names = {name: queue for name, queue in routes.items() if not _MAGIC.search(name)}
        self._patterns = [(re.compile(translate(p)), queue) for p, queue in routes.items() if _MAGIC.search(p)]
        self._default = default
        self._placed: dict[str, tuple[Plan, Plan]] = {}

    def queue_of(self, name: str) -> str:
        """The queue of the task of that name."""
        queue = self._names.get(name)
        if queue is None:
            queue = next((queue for pattern, queue in self._patterns if pattern.match(name)), self._default)
        return queue

    def place(self, name: str, plan: Plan) -> Plan:
        """The plan of a call of that task with its queue; the same if it says one itself."""
        if plan.placed:
            return plan
        known = self._placed.get(name)
        if known is not None and known[0] is plan:
            return known[1]
        placed = replace(plan, queue=self.queue_of(name), placed=True)
        self._placed[name] = (plan, placed)
        return placed
