"""The default scheduler: the one that carries calls of shared tasks, those of the module-level ``@task``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import NoScheduler

if TYPE_CHECKING:
    from .carrier import Carrier

_default: Carrier | None = None


def set_default(scheduler: Carrier | None) -> None:
    """Let ``scheduler`` carry the calls of shared tasks from now on; None for none.

    >>> set_default(app)
    >>> get_default() is app
    True
    """
    global _default
    _default = scheduler


def offer_default(scheduler: Carrier) -> None:
    """Make ``scheduler`` the default if there is none: every Scheduler does so when it is created."""
    if _default is None:
        set_default(scheduler)


def withdraw_default(scheduler: Carrier) -> None:
    """Be the default no longer, if it was: a Scheduler does so when it is closed."""
    if _default is scheduler:
        set_default(None)


def default_or_none() -> Carrier | None:
    """The default scheduler, if there is one."""
    return _default


def get_default() -> Carrier:
    """The default scheduler: the first that was created, or the one last given to set_default().

    Raises:
        NoScheduler: there is none.
    """
    if _default is None:
        raise NoScheduler(
            "no Scheduler carries shared tasks yet: create one first, "
            'app = Scheduler("tasks.json"), or name one with set_default(app)'
        )
    return _default
