"""The judge: books kept of all that is done to a store and of all that it answers. It ends a world at any difference."""

from .auditor import Auditor

__all__ = ["Auditor"]
