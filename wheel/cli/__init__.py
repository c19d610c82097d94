"""The command line: ``noria worker``, ``noria jobs`` and the others; see docs/cli.md."""

from .program import main

__all__ = ["main"]
