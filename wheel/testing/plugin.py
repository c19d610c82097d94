"""The pytest plugin: the fixture ``hourwheel``, a scheduler that travels in time for the length of one test.

Which scheduler it is says the ini option, and for single tests the marker:

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
    "hourwheel(app, start=, tz=, eager=, store=, most=): which scheduler the fixture hourwheel is, and when it begins; "
    "see hourwheel.testing.travel"
)

_BEFORE: Final = pytest.StashKey[Rule | None]()
_SAID: Final = pytest.StashKey[list[str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of the ini file."""
    parser.addini("hourwheel_app", 'the Scheduler of the fixture hourwheel: "package.module:app"')
    parser.addini("hourwheel_start", "when its tests begin, in its time zone", default=DEFAULT_START)


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Before anything of the user's is imported: modules must not run jobs because tests are collected from them."""
    _hold_back(early_config)


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line("markers", _MARKER)
    _hold_back(config)


def _hold_back(config: pytest.Config) -> None:
    if _SAID in config.stash:
        return
    said = config.stash[_SAID] = []
    reason = "pytest only imports the module; start it in a fixture, or travel() with it"
    config.stash[_BEFORE] = set_rule(Rule(reason=reason, starts="later", say=said.append))


def pytest_unconfigure(config: pytest.Config) -> None:
    """Leave the process as it was."""
    if _BEFORE in config.stash:
        set_rule(config.stash[_BEFORE])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say which schedulers would have been started by an import."""
    for text in config.stash.get(_SAID, []):
        terminalreporter.write_line(f"hourwheel: {plain(text)}", yellow=True)


@pytest.fixture
def hourwheel(request: pytest.FixtureRequest) -> Iterator[Travel]:
    """A journey in time of the scheduler that ``hourwheel_app`` names; see hourwheel.testing.travel.

    It begins with an empty store in memory, on 1 January 2026 unless something else is said. Afterwards the
    scheduler is as it was before, with its own store and clock; tasks and hooks that the test has added stay.
    """
    marker = request.node.get_closest_marker("hourwheel")
    args: tuple[Any, ...] = () if marker is None else marker.args
    options: dict[str, Any] = {} if marker is None else dict(marker.kwargs)
    if len(args) > 1:
        raise pytest.UsageError(f"the marker hourwheel takes one scheduler, got {args!r}")
    app = _app_of(args[0] if args else options.pop("app", None), request.config)
    options.setdefault("start", request.config.getini("hourwheel_start"))
    before = set(threading.enumerate())
    with travel(app, **options) as begun:
        yield begun
    left = [thread.name for thread in threading.enumerate() if thread not in before and "hourwheel" in thread.name]
    assert left == [], f"threads of Hourwheel are left over: {left}"


def _app_of(named: object, config: pytest.Config) -> Scheduler:
    named = named or config.getini("hourwheel_app")
    if isinstance(named, Scheduler):
        return named
    if not isinstance(named, str) or not named:
        raise pytest.UsageError(
            'the fixture hourwheel needs a scheduler: hourwheel_app = "package.module:app" in the ini file, '
            'or @pytest.mark.hourwheel("package.module:app")'
        )
    from ..cli.find_app import find_app  # not for every run of pytest where Hourwheel happens to be installed
    from ..cli.outcome import CommandError

    try:
        return find_app(named, str(config.rootpath))
    except CommandError as error:
        raise pytest.UsageError(f"the fixture hourwheel needs a scheduler: {error}") from None
