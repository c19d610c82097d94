"""For tests of code that uses Hourwheel: travel in time, a fake clock, and a store's contract as a test suite.

Also ``simulate``, a forecast of how late jobs start.
"""

from .clock import FakeClock
from .contract import StoreContract
from .journey import Travel, eager, travel
from .ran import Due, Ran
from .simulation import Forecast, Stream, simulate

__all__ = ["Due", "FakeClock", "Forecast", "Ran", "StoreContract", "Stream", "Travel", "eager", "simulate", "travel"]
