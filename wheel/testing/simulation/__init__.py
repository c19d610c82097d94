"""Simulation: the real ticker and a real store on a virtual clock, in a world where everything goes wrong that can.

For users: ``simulate``, which says what would become of a schedule. For whoever changes Hourwheel: ``bad_day`` draws a
history from a seed, ``play`` plays it and checks every invariant at every step, ``shrink`` makes one that fails as
short as it goes.
"""

from .draw import bad_day
from .forecast import Forecast, Minute
from .history import History
from .load import Stream
from .play import Course, play
from .shrink import shrink
from .simulate import simulate

__all__ = ["Course", "Forecast", "History", "Minute", "Stream", "bad_day", "play", "shrink", "simulate"]
