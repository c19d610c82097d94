"""What tests of code that uses Noria need: a clock that they move themselves, and the contract of a store as tests.

And, for programs that are to run on it, a forecast: ``simulate``.
"""

from .clock import FakeClock
from .contract import StoreContract
from .simulation import Forecast, Stream, simulate

__all__ = ["FakeClock", "Forecast", "StoreContract", "Stream", "simulate"]
