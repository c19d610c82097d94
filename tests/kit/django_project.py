"""A Django project without files: two databases in memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest


@contextmanager
def databases() -> Iterator[None]:
    """Django set up, once for the process, with the databases "default" and "other"."""
    pytest.importorskip("django")
    import django
    from django.conf import settings
    from django.db import connections

    if not settings.configured:
        in_memory = {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}
        settings.configure(DATABASES={"default": in_memory, "other": in_memory})
        django.setup()
    yield
    connections.close_all()
