"""Whether this process is a worker process of a pool: it runs what it is sent, and no scheduler of its own."""

from __future__ import annotations

from ..errors import SchedulerError

_is_child = False


def be_child() -> None:
    """Called by a worker process before it imports anything of the user's."""
    global _is_child
    _is_child = True


def refuse_scheduler() -> None:
    """Raise if a scheduler must not be started here.

    Raises:
        SchedulerError: this is a worker process, most likely one whose import of the program runs the program.
    """
    if _is_child:
        raise SchedulerError(
            "a worker process of a pool cannot start a scheduler. It has imported this program to find its tasks, so "
            'what starts the scheduler must be under: if __name__ == "__main__":'
        )
