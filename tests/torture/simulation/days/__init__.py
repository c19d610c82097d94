"""Bad days: drawn from a seed, played before the judge, and brought down to what it takes if they fail."""

from .draw import bad_day
from .history import History
from .play import Course, play
from .shrink import shrink

__all__ = ["Course", "History", "bad_day", "play", "shrink"]
