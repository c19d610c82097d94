"""The command line: ``hourwheel worker``, ``hourwheel jobs`` and the others; see docs/cli.md."""

from .program import main

__all__ = ["main"]
