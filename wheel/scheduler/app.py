"""App: what the other files of this room need of the Scheduler, so that they need not import it."""

from __future__ import annotations

from datetime import tzinfo
from typing import TYPE_CHECKING, Protocol

from ..tasks.carrier import Carrier

if TYPE_CHECKING:
    from ..schedules.fires import Schedules
    from ..settings.conf import Conf
    from ..tasks.decorator import TaskDecorator
    from ..tasks.discovery import Discovery
    from ..worker.pool.options import PoolOptions
    from .backing import Backing


class App(Carrier, Protocol):
    """A Scheduler, but for what stands in its own file."""

    backing: Backing

    @property
    def conf(self) -> Conf:
        """Its settings."""

    @property
    def discoveries(self) -> list[Discovery]:
        """Imports that autodiscover_tasks() has put off."""

    @property
    def task(self) -> TaskDecorator:
        """Its decorator."""

    @property
    def fires(self) -> Schedules:
        """Its schedules."""

    @property
    def pool(self) -> PoolOptions:
        """Which pool runs its jobs."""

    @property
    def queues(self) -> frozenset[str] | None:
        """Which queues they come from; None for all."""

    @property
    def owner(self) -> str:
        """The name under which it claims."""

    @property
    def timezone(self) -> tzinfo:
        """The zone of schedules that name none."""
