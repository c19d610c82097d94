"""The current app and the current task, as names that follow them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ..errors import NoScheduler
from ..tasks import context, default_app
from .settings.conf import CeleryConf

if TYPE_CHECKING:
    from collections.abc import Callable


def the_app() -> Any:
    """The current app: the first that was made, or the one last passed to set_default().

    Raises:
        NoScheduler: there is none, or it has none of Celery's names.
    """
    found: Any = default_app.default_or_none()
    if found is None:
        raise NoScheduler('there is no app yet: make one first, app = Celery("proj", store="tasks.json")')
    if not isinstance(found.conf, CeleryConf):
        raise NoScheduler(
            f"the current app is {found!r}, which has neither Celery's names nor its words and signals: make it with "
            "hourwheel.celery.Celery(store=...), which is a Scheduler as well, or pass another app to set_default()"
        )
    return found


def the_task() -> Any:
    """The task whose job runs in the calling code; None outside of jobs."""
    job = context.current_job()
    return None if job is None else the_app().registry.find(job.task)


class Proxy:
    """Stands for what a function returns at the time."""

    __slots__ = ("_found",)

    def __init__(self, found: Callable[[], Any]) -> None:
        object.__setattr__(self, "_found", found)

    def _get_current_object(self) -> Any:
        """What it stands for now."""
        return self._found()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._found(), name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._found(), name, value)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call what it stands for now."""
        return self._found()(*args, **kwargs)

    def __bool__(self) -> bool:
        try:
            return bool(self._found())
        except NoScheduler:
            return False

    def __eq__(self, other: object) -> bool:
        return bool(self._found() == (other._get_current_object() if isinstance(other, Proxy) else other))

    def __hash__(self) -> int:
        return hash(self._found())

    def __repr__(self) -> str:
        try:
            return repr(self._found())
        except NoScheduler:
            return "<no app of Celery's yet>"


current_app: Final[Any] = Proxy(the_app)
current_task: Final[Any] = Proxy(the_task)
