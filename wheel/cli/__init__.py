"""The command line: ``hourwheel worker``, ``hourwheel jobs`` and so on; see docs/cli.md."""

from .program import main

__all__ = ["main"]
