"""The default scheduler, to which calls of shared tasks go (those made with the module's ``@task``)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import NoScheduler

if TYPE_CHECKING:
    from .carrier import Carrier

_default: Carrier | None = None


def set_default(scheduler: Carrier | None) -> None:
    """Use ``scheduler`` for calls of shared tasks from now on; None for no scheduler.

    >>> set_default(app)
    >>> get_default() is app
    True
    """
    global _default
    _default = scheduler


def offer_default(scheduler: Carrier) -> None:
    """Make ``scheduler`` the default if there is none. Every Scheduler does this when it is created."""
    if _default is None:
        set_default(scheduler)


def withdraw_default(scheduler: Carrier) -> None:
    """Stop using ``scheduler`` as the default, if it is. A Scheduler does this when it is closed."""
    if _default is scheduler:
        set_default(None)


def default_or_none() -> Carrier | None:
    """Return the default scheduler, or None if there is none."""
    return _default


def get_default() -> Carrier:
    """Return the default scheduler: the first one created, or the one last passed to set_default().

    Raises:
        NoScheduler: there is none.
    """
    if _default is None:
        raise NoScheduler(
            "there is no Scheduler for shared tasks yet: create one first, "
            'app = Scheduler("tasks.json"), or choose one with set_default(app)'
        )
    return _default
