"""What tests of code that uses Noria need: a clock that they move themselves, and the contract of a store as tests."""

from .clock import FakeClock
from .contract import StoreContract

__all__ = ["FakeClock", "StoreContract"]
