"""Processes of their own, for what must be measured in a fresh or quiet one.

A child runs one function of a module of this package, given as text, with arguments and a result in JSON.
"""

from __future__ import annotations

import faulthandler
import importlib
import json
import os
import subprocess
import sys
from typing import Any

from hourwheel.kernel import resident_kib

_LIMIT_S = 600
"""A child that takes longer shows where it hangs, and ends."""
_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def run(function: str, *args: Any, killed: bool = False) -> Any:
    """What ``module:function`` returns in a fresh process; with ``killed`` it is to kill itself and returns nothing.

    Raises:
        RuntimeError: the process failed; what it wrote to stderr is in the message.
    """
    child = begin(function, *args)
    if killed:
        _, errors = child.communicate()
        if child.returncode != -9:
            raise RuntimeError(f"{function} was to be killed, and ended with {child.returncode}:\n{errors}")
        return None
    return finish(child)


def begin(function: str, *args: Any) -> subprocess.Popen[str]:
    """Start the process; ``finish`` has its result."""
    command = [sys.executable, "-m", "benchmarks.children", function, json.dumps(args)]
    return subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_ready(child: subprocess.Popen[str]) -> None:
    """Wait until the child has called ``ready``."""
    assert child.stdout is not None
    if child.stdout.readline().strip() != "ready":
        raise RuntimeError(f"the child did not get ready:\n{child.communicate()[1]}")


def ready() -> None:
    """Called in a child that another process waits for."""
    print("ready", flush=True)


def finish(child: subprocess.Popen[str]) -> Any:
    """Wait for the child's end, and give what it returned."""
    output, errors = child.communicate()
    if child.returncode != 0:
        raise RuntimeError(f"a child ended with {child.returncode}:\n{errors}")
    return json.loads(output.splitlines()[-1])


def rss() -> int:
    """Resident memory of this process, bytes."""
    return resident_kib() * 1024


if __name__ == "__main__":
    faulthandler.dump_traceback_later(_LIMIT_S, exit=True)
    module, _, name = sys.argv[1].partition(":")
    result = getattr(importlib.import_module(f"benchmarks.{module}"), name)(*json.loads(sys.argv[2]))
    print(json.dumps(result), flush=True)
