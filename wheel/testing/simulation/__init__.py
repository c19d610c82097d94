"""Simulation: the real ticker and a real store on a virtual clock. ``simulate`` makes a forecast for a schedule.

The tests use the same world for days full of failures, with a judge that checks every answer of the store:
tests/torture/simulation/.
"""

from .forecast import Forecast, Minute
from .judge import Judge, Violation
from .load import Stream
from .simulate import simulate

__all__ = ["Forecast", "Judge", "Minute", "Stream", "Violation", "simulate"]
