"""Looking: programs that import a user's module but must not run its jobs.

Many modules call ``app.start()`` when they are imported, which is right for their own program. But
``hourwheel stats -A shop`` imports the module too, as does pytest when it collects tests, and neither may run jobs.
Such programs set a rule for the process:

    starts "never"    start(), run() and run_due() do nothing
    starts "later"    they do nothing while a module is being imported; the process runs jobs itself
    read_only         stores are opened for reading

A call that does nothing says so, once for each scheduler.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Literal

_IMPORTING: Final = "<frozen importlib"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What the schedulers of this process may do."""

    reason: str
    """Why; follows "start() does nothing: "."""
    starts: Literal["never", "later"]
    read_only: bool = False
    say: Callable[[str], None]
    """Shows a message that a call does nothing."""
    told: weakref.WeakSet[Any] = field(default_factory=weakref.WeakSet)


_rule: Rule | None = None


def set_rule(rule: Rule | None) -> Rule | None:
    """Set the rule of this process, or None. Return the previous one."""
    global _rule
    before, _rule = _rule, rule
    return before


@contextmanager
def ruled(rule: Rule) -> Iterator[None]:
    """Set a rule for the block."""
    before = set_rule(rule)
    try:
        yield
    finally:
        set_rule(before)


def reads_only() -> bool:
    """Whether stores must be opened for reading."""
    return _rule is not None and _rule.read_only


def held_back(app: object, call: str) -> bool:
    """Whether a call that would run jobs must do nothing. If so, say that."""
    rule = _rule
    if rule is None or (rule.starts == "later" and not _importing()):
        return False
    if app not in rule.told:
        rule.told.add(app)
        rule.say(f"{call} of {app!r} does nothing: {rule.reason}")
    return True


def _importing() -> bool:
    """Whether this thread is importing a module."""
    frame = sys._getframe()
    while frame.f_back is not None:
        frame = frame.f_back
        if frame.f_code.co_filename.startswith(_IMPORTING):
            return True
    return False
