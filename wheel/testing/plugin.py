"""The pytest plugin: the fixture ``hourwheel``, a scheduler that travels in time for one test.

Choose the scheduler with an ini option, or with a marker for a single test:

    [tool.pytest.ini_options]
    hourwheel_app = "shop.tasks:app"

    @pytest.mark.hourwheel("shop.other:app", start="2026-03-29 01:59", tz="Europe/Berlin", eager=True)
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any, Final

import pytest

from ..safety.plain import plain
from ..scheduler.scheduler import Scheduler
from ..worker.looking import Rule, set_rule
from .journey import Travel, travel

DEFAULT_START: Final = "2026-01-01 00:00"
_MARKER: Final = (
    "hourwheel(app, start=, tz=, eager=, store=, most=): the scheduler of the fixture hourwheel, and options of "
    "hourwheel.testing.travel"
)

_BEFORE: Final = pytest.StashKey[Rule | None]()
_NOTICES: Final = pytest.StashKey[list[str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the ini options."""
    parser.addini("hourwheel_app", 'the Scheduler of the fixture hourwheel: "package.module:app"')
    parser.addini("hourwheel_start", "the time at which its tests start, in its time zone", default=DEFAULT_START)


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Keep schedulers from starting, before any module is imported: collecting tests must not run jobs."""
    _prevent_starts(early_config)


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line("markers", _MARKER)
    _prevent_starts(config)


def _prevent_starts(config: pytest.Config) -> None:
    if _NOTICES in config.stash:
        return
    notices = config.stash[_NOTICES] = []
    reason = "pytest is only importing the module; start it in a fixture, or use travel()"
    config.stash[_BEFORE] = set_rule(Rule(reason=reason, starts="later", say=notices.append))


def pytest_unconfigure(config: pytest.Config) -> None:
    """Restore what pytest_configure changed."""
    if _BEFORE in config.stash:
        set_rule(config.stash[_BEFORE])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print which schedulers would have been started by an import."""
    for text in config.stash.get(_NOTICES, []):
        terminalreporter.write_line(f"hourwheel: {plain(text)}", yellow=True)


@pytest.fixture
def hourwheel(request: pytest.FixtureRequest) -> Iterator[Travel]:
    """The scheduler that ``hourwheel_app`` names, in travel(); see hourwheel.testing.travel.

    It starts with an empty memory store, at ``hourwheel_start`` (by default 1 January 2026). After the test, the
    scheduler has its own store and clock again. Tasks and hooks that the test has added stay.
    """
    marker = request.node.get_closest_marker("hourwheel")
    args: tuple[Any, ...] = () if marker is None else marker.args
    options: dict[str, Any] = {} if marker is None else dict(marker.kwargs)
    if len(args) > 1:
        raise pytest.UsageError(f"the marker hourwheel must have one scheduler, got {args!r}")
    app = _app_of(args[0] if args else options.pop("app", None), request.config)
    options.setdefault("start", request.config.getini("hourwheel_start"))
    before = set(threading.enumerate())
    with travel(app, **options) as begun:
        yield begun
    left = [thread.name for thread in threading.enumerate() if thread not in before and "hourwheel" in thread.name]
    assert left == [], f"the test has left threads of Hourwheel running: {left}"


def _app_of(named: object, config: pytest.Config) -> Scheduler:
    named = named or config.getini("hourwheel_app")
    if isinstance(named, Scheduler):
        return named
    if not isinstance(named, str) or not named:
        raise pytest.UsageError(
            'the fixture hourwheel needs a scheduler: set hourwheel_app = "package.module:app" in the ini file, '
            'or use @pytest.mark.hourwheel("package.module:app")'
        )
    from ..cli.find_app import find_app  # not needed in other runs of pytest
    from ..cli.outcome import CommandError

    try:
        return find_app(named, str(config.rootpath))
    except CommandError as error:
        raise pytest.UsageError(f"the fixture hourwheel needs a scheduler: {error}") from None
