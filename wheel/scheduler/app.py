"""App: what the other files of this room need of the Scheduler, so that they need not import it."""

from __future__ import annotations

from datetime import tzinfo
from typing import TYPE_CHECKING, Protocol

from ..explain.known import App as Explained

if TYPE_CHECKING:
    from ..settings.conf import Conf
    from ..tasks.decorator import TaskDecorator
    from ..tasks.discovery import Discovery
    from .backing import Backing


class App(Explained, Protocol):
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
    def owner(self) -> str:
        """The name under which it claims."""

    @property
    def timezone(self) -> tzinfo:
        """The zone of schedules that name none."""
