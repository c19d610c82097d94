"""Find the store of a command, by path, URL or ``-A``. A command never creates a store."""

from __future__ import annotations

import os
import re
from argparse import Namespace
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from ..contract import Store
from ..errors import InvalidValue
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
    """Return the Scheduler that ``-A`` or HOURWHEEL_APP names, after importing its tasks.

    Raises:
        CommandError: neither is given, there is no such Scheduler, or its tasks cannot be imported.
    """
    name = args.app or environ.get(APP_VARIABLE)
    if not name:
        raise CommandError(f"no app given: pass -A module:app, or set {APP_VARIABLE}")
    from .find_app import find_app, module_of

    app = find_app(name)
    app.home = module_of(name)
    try:
        app.discover_tasks()
    except Exception as error:
        raise CommandError(f"the tasks of {name!r} cannot be imported: {type(error).__name__}: {error}") from error
    return app


def named_app(args: Namespace) -> Scheduler | None:
    """Return the Scheduler that ``-A`` names; None if it is not given."""
    return app_of(args, {}) if args.app else None


def known_app(args: Namespace, environ: Mapping[str, str]) -> Scheduler | None:
    """Return the Scheduler that ``-A`` or HOURWHEEL_APP names; None if neither is given."""
    return app_of(args, environ) if args.app or environ.get(APP_VARIABLE) else None


@contextmanager
def opened(args: Namespace, environ: Mapping[str, str]) -> Iterator[Store]:
    """Open the store that the arguments name, for the block; read-only if the command only looks.

    Raises:
        CommandError: no store is named, or it does not exist.
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
    """Return the path or URL that the arguments name, without opening it: the store may be damaged."""
    url = _url(args, environ)
    if url is not None:
        return url
    store = app_of(args, environ).backing.url  # only the URL: opening the store may be what fails
    if store is None:
        raise CommandError("the app has a store object and no path; pass the store's file instead of -A")
    return store


def file_of(url: str) -> str:
    """Return the absolute path of a store's file.

    Raises:
        CommandError: the store is not in a file, or the file does not exist or is not a store.
    """
    path = path_of(url)
    if path is None:
        raise CommandError(f"{url} is in the memory of one process; other processes cannot see it")
    path = os.path.abspath(path)
    if _has_other_files(path):
        return path  # even if the file itself is damaged or missing
    if not os.path.lexists(path):
        raise CommandError(f"there is no store at {path}")
    if not os.path.isfile(path):
        raise CommandError(f"{path} is not a regular file")
    with open(path, "rb") as file:
        if not _HEADER.search(file.read(_HEADER_WITHIN)):
            raise CommandError(f"{path} is not an Hourwheel store")
    return path


def _has_other_files(path: str) -> bool:
    """Whether the files that every store has are beside the path. Opening another file would create them."""
    try:
        return os.path.exists(Place(path).lock) or bool(Place(path).siblings(SYSTEM, "journal"))
    except OSError:
        return False


def take_store(args: Namespace, words: list[str]) -> None:
    """If the first of some words is a store, and none is named otherwise, take it from them: as STORE."""
    if words and not args.store_option and is_store(words[0]):
        args.store = words.pop(0)


def is_store(word: str) -> bool:
    """Whether a word is the path or URL of a store in a file that exists."""
    try:
        return bool(file_of(word))
    except (CommandError, InvalidValue, OSError, ValueError):
        return False


def named_store(args: Namespace) -> str | None:
    """The store that STORE or ``--store`` names.

    Raises:
        CommandError: both are given.
    """
    place, option = getattr(args, "store", None), getattr(args, "store_option", None)
    if place and option:
        raise CommandError(f"pass the store once: {place}, or --store {option}")
    return place or option


def _url(args: Namespace, environ: Mapping[str, str]) -> str | None:
    """The store that is named; None for that of an app. Arguments take precedence over the environment."""
    named = named_store(args)
    if named:
        return named
    if args.app:
        return None
    url = environ.get(STORE_VARIABLE)
    if not url and not environ.get(APP_VARIABLE):
        setting = Conf(environ={}).known("store")
        if setting.source != DEFAULT:
            return str(setting.value)
        raise CommandError(f"no store given: pass its path or URL, or -A module:app, or set {STORE_VARIABLE}")
    return url or None
