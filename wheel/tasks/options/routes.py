"""Routes: the queues of tasks by name, for calls that set no queue and whose task sets none (``task_routes``).

A task is looked up at its first call, and the resulting plan is kept for later calls.
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

_RULE: Final = 'a dict of queues by names of tasks or patterns, such as {"app.mail.*": {"queue": "mail"}}'
_MAGIC: Final = re.compile(r"[*?\[]")


def checked_routes(value: Any) -> Mapping[str, str]:
    """Return the queue for each name or pattern, in order. A queue is given as its name, or as a dict as in Celery.

    >>> dict(checked_routes({"app.mail.*": {"queue": "mail"}, "app.sms": "sms"}))
    {'app.mail.*': 'mail', 'app.sms': 'sms'}
    """
    if not isinstance(value, Mapping):
        raise InvalidValue.of("task_routes", _RULE, value)
    found = {}
    for pattern, route in value.items():
        if type(pattern) is not str or not pattern:
            raise InvalidValue.of("task_routes", _RULE, value)
        found[pattern] = _queue(pattern, route)
    return MappingProxyType(found)


def _queue(pattern: str, route: Any) -> str:
    if isinstance(route, Mapping):
        for key in route:
            if key != "queue":
                raise InvalidValue.of(f"task_routes[{pattern!r}]", "a queue, or a dict with only a queue", route)
        route = route.get("queue")
    try:
        return checked_queue(route)
    except InvalidValue as error:
        raise InvalidValue(f"task_routes[{pattern!r}]: {error}") from None


class Routes:
    """Finds the queue of a task. Names take precedence over patterns; of several patterns the first match wins.

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
        """Return the queue of the task of that name."""
        queue = self._names.get(name)
        if queue is None:
            queue = next((queue for pattern, queue in self._patterns if pattern.match(name)), self._default)
        return queue

    def place(self, name: str, plan: Plan) -> Plan:
        """Return the plan of a call with the task's queue filled in, unless it has a queue."""
        if plan.placed:
            return plan
        known = self._placed.get(name)
        if known is not None and known[0] is plan:
            return known[1]
        placed = replace(plan, queue=self.queue_of(name), placed=True)
        self._placed[name] = (plan, placed)
        return placed
