"""Simulation: the real ticker and a real store on a virtual clock. ``simulate`` says what would become of a schedule.

The tests drive the same world through days on which everything goes wrong, before a judge that compares every answer of
the store with what it must be: tests/torture/simulation/.
"""

from .forecast import Forecast, Minute
from .judge import Judge, Violation
from .load import Stream
from .simulate import simulate

__all__ = ["Forecast", "Judge", "Minute", "Stream", "Violation", "simulate"]
