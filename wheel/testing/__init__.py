"""What tests of code that uses Noria need: a clock that they move themselves."""

from .clock import FakeClock

__all__ = ["FakeClock"]
