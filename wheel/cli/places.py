"""Places: the store that a command is to look into, by path, URL or ``-A``. To look never makes a store.

This module and check.py are the only ones of wheel that know the stores, but for the scheduler, which opens them.
"""

from __future__ import annotations

import os
import re
from argparse import Namespace
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from ..contract import Store
from ..settings.conf import DEFAULT, Conf
from ..store.file.system.place import Place
from ..store.file.system.system import SYSTEM
from ..store.url import open_store, path_of
from ..worker.looking import reads_only
from .outcome import CommandError

if TYPE_CHECKING:
    from ..scheduler.scheduler import Scheduler

STORE_VARIABLE: Final = "HOURWHEEL_STORE"
APP_VARIABLE: Final = "HOURWHEEL_APP"
_HEADER: Final = re.compile(rb'"format"\s*:\s*"hourwheel"')
_HEADER_WITHIN: Final = 1 << 20


def app_of(args: Namespace, environ: Mapping[str, str]) -> Scheduler:
    """The Scheduler that ``-A`` or HOURWHEEL_APP names, with the tasks that it discovers.

    Raises:
        CommandError: neither is given, or there is none of that name, or its tasks cannot be imported.
    """
    name = args.app or environ.get(APP_VARIABLE)
    if not name:
        raise CommandError(f"which app? give -A module:app, or set {APP_VARIABLE}")
    from .find_app import find_app, module_of

    app = find_app(name)
    app.home = module_of(name)
    try:
        app.discover_tasks()
    except Exception as error:
        raise CommandError(f"the tasks of {name!r} cannot be imported: {type(error).__name__}: {error}") from error
    return app


def known_app(args: Namespace, environ: Mapping[str, str]) -> Scheduler | None:
    """The Scheduler that ``-A`` or HOURWHEEL_APP names, if one of them does."""
    return app_of(args, environ) if args.app or environ.get(APP_VARIABLE) else None


@contextmanager
def opened(args: Namespace, environ: Mapping[str, str]) -> Iterator[Store]:
    """The store that the arguments name, open for as long as the block runs; for reading if the command only looks.

    Raises:
        CommandError: none is named, or there is none.
        HourwheelError: it cannot be opened.
    """
    url = _url(args, environ)
    if url is None:
        app = app_of(args, environ)
        if app.backing.url is not None:
            file_of(app.backing.url)
        try:
            yield app.store
        finally:
            app.close()
        return
    file_of(url)
    store = open_store(url, read_only=True) if reads_only() else open_store(url)
    try:
        yield store
    finally:
        store.close()


def url_of(args: Namespace, environ: Mapping[str, str]) -> str:
    """The path or URL that the arguments name, for commands that work on a file that need not be sound.

    Raises:
        CommandError: none is named.
    """
    url = _url(args, environ)
    if url is not None:
        return url
    store = app_of(args, environ).backing.url  # only the URL: opening the store may be what fails
    if store is None:
        raise CommandError("the app was given a store that it did not open itself; name the file instead")
    return store


def file_of(url: str) -> str:
    """The absolute path of the file of a store that is there.

    Raises:
        CommandError: the store is in no file, or the file does not exist.
    """
    path = path_of(url)
    if path is None:
        raise CommandError(f"{url} is in the memory of the process that made it; there is nothing to look at from here")
    path = os.path.abspath(path)
    if _has_company(path):
        return path  # whatever the file has come to, it was a store
    if not os.path.lexists(path):
        raise CommandError(f"there is no store at {path}")
    if not os.path.isfile(path):
        raise CommandError(f"{path} is not a regular file")
    with open(path, "rb") as file:
        if not _HEADER.search(file.read(_HEADER_WITHIN)):
            raise CommandError(f"{path} is not an Hourwheel store")
    return path


def _has_company(path: str) -> bool:
    """Whether the files stand there that stand beside every store: to open anything else would make them."""
    try:
        return os.path.exists(Place(path).lock) or bool(Place(path).siblings(SYSTEM, "journal"))
    except OSError:
        return False


def _url(args: Namespace, environ: Mapping[str, str]) -> str | None:
    """The store named; None for that of an app. What is said comes before what is in the environment."""
    said: str | None = getattr(args, "store", None)
    if said:
        return said
    if args.app:
        return None
    url = environ.get(STORE_VARIABLE)
    if not url and not environ.get(APP_VARIABLE):
        told = Conf(environ={}).known("store")
        if told.source != DEFAULT:
            return str(told.value)
        raise CommandError(f"which store? name its path or URL, give -A module:app, or set {STORE_VARIABLE}")
    return url or None
