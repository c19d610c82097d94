"""The fast tests, collected once and kept ready: a loop of ours runs those that it wants, in forks of this process."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import tempfile
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from time import CLOCK_MONOTONIC, clock_gettime
from typing import Any, Final

import pytest
from _pytest.runner import runtestprotocol

from .targets import ROOT

FOLDERS: Final = ("tests/unit", "tests/contract")
"""Of tests that may notice a mutant; the others read documents, or run programs that a mutant is not in."""
_OPTIONS: Final = ("-qq", "-s", "--rootdir", str(ROOT), "-c", str(ROOT / "pyproject.toml"))
_WITHOUT: Final = ("randomly", "timeout", "cacheprovider")
_LEFT_OUT: Final = (
    *("test_layout.py", "test_benchmarks.py", "seeded_bug"),
    *("/cli/", "/repair/", "test_payload.py", "test_docs", "test_loops.py", "test_pool_options.py"),
    *("test_soft_limit.py", "test_waiting_inside.py", "test_wire.py"),
    *(
        "test_cut_tails.py",
        "test_failing_calls.py",
        "JsonMachine",
        "flipped_bit",
        "cut_at_any_byte",
        "sectors_left_out",
    ),
)
"""In the names of tests that look at the text of modules, or at what the tests find; that are about other modules; or that
try every byte, bit, sector or call and take many seconds for that: what only they notice counts as not noticed."""
_MEMORY_MOST: Final = 4 << 30

Loop = Callable[[pytest.Session], None]


class _Plugin:
    """Hands the collected tests to a loop."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop

    def pytest_addoption(self, parser: pytest.Parser) -> None:
        parser.addini("timeout", "pytest-timeout's, which is not loaded here")

    def pytest_configure(self, config: pytest.Config) -> None:
        config.addinivalue_line("markers", "timeout: pytest-timeout's, which is not loaded here")
        from hypothesis import Phase, settings  # not before pytest has prepared the import of its plugin

        settings.register_profile(
            "mutants", deadline=None, derandomize=True, database=None, phases=(Phase.explicit, Phase.generate)
        )
        settings.load_profile("mutants")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        session.items[:] = [item for item in session.items if not any(word in item.nodeid for word in _LEFT_OUT)]
        self._loop(session)
        return True


def with_tests(loop: Loop, paths: Sequence[str] = FOLDERS) -> int:
    """Collect the tests under ``paths`` and call ``loop``; the exit status, which is not 0 if they cannot be imported."""
    without = [word for name in _WITHOUT for word in ("-p", f"no:{name}")]
    return int(pytest.main([*_OPTIONS, *without, *(str(ROOT / path) for path in paths)], plugins=[_Plugin(loop)]))


def passes(item: pytest.Item, within_s: float) -> bool:
    """Run one test. If it takes longer than ``within_s`` seconds, the kernel ends the process by SIGALRM."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, within_s)
    try:
        reports = runtestprotocol(item, log=False, nextitem=None)
    except BaseException:
        return False
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    return not any(report.failed for report in reports)


def seconds() -> float:
    """A clock that no test freezes."""
    return clock_gettime(CLOCK_MONOTONIC)


class Fork:
    """A fork of this process that runs ``work`` in a process group and a temporary directory of its own."""

    def __init__(self, session: pytest.Session, work: Callable[[Callable[[str], None]], int]) -> None:
        self._base = Path(tempfile.mkdtemp(prefix="hourwheel-mutants-"))
        reader, writer = os.pipe()
        os.set_blocking(reader, False)
        os.set_blocking(writer, False)
        self.pid = os.fork()
        if not self.pid:
            status = 70
            try:
                _be_quiet(session, self._base)
                status = work(lambda text: _tell(writer, text))
            except BaseException:
                _tell(writer, traceback.format_exc())
            finally:
                os._exit(status)
        os.close(writer)
        self._reader = reader

    def ended(self) -> str:
        """Called when it has ended: clears away what it left; what it told."""
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        shutil.rmtree(self._base, ignore_errors=True)
        try:
            return os.read(self._reader, 65536).decode()
        except BlockingIOError:
            return ""
        finally:
            os.close(self._reader)


def _tell(writer: int, text: str) -> None:
    os.write(writer, text.encode()[:4096])


def _be_quiet(session: pytest.Session, base: Path) -> None:
    os.setpgid(0, 0)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nothing, standard)
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_MOST, resource.RLIM_INFINITY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    factory: Any = session.config._tmp_path_factory  # type: ignore[attr-defined]
    factory._basetemp = base
