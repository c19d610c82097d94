"""What tests of code that uses Hourwheel need: travel in time, a clock, and the contract of a store as tests.

And, for programs that are to run on it, a forecast: ``simulate``.
"""

from .clock import FakeClock
from .contract import StoreContract
from .journey import Travel, eager, travel
from .ran import Due, Ran
from .simulation import Forecast, Stream, simulate

__all__ = ["Due", "FakeClock", "Forecast", "Ran", "StoreContract", "Stream", "Travel", "eager", "simulate", "travel"]
