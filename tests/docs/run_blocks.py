"""Runs the blocks of one Markdown file (or the first so many of them) in this process and in the working directory, and
prints how many it ran.

A line of Python that ends with ``# -> text`` is an expression that must show as that text.
"""

from __future__ import annotations

import ast
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from blocks import Block, blocks_of

EXPECTED = re.compile(r"# -> (.*)$")
SERVE_S = (1.5, 6, 20)
"""So long a command serves before SIGTERM; once more, and longer, if it had not come so far as to heed it."""
COMMAND_S = 60


def run(block: Block, names: dict[str, Any]) -> None:
    """Run one block; raises if it does not do what it says."""
    if block.language == "console":
        for command in block.commands:
            (serve if block.info == "serves" else call)(block, command)
    elif block.file is not None:
        Path(block.file).parent.mkdir(parents=True, exist_ok=True)
        Path(block.file).write_text(block.text, encoding="utf-8")
    else:
        tree = ast.parse(block.text, str(block.path))
        ast.increment_lineno(tree, block.line - 1)
        check_what_lines_show(tree, block)
        names["expect"] = expect
        exec(compile(tree, str(block.path), "exec"), names)


def check_what_lines_show(tree: ast.Module, block: Block) -> None:
    """Put each expression whose line says what it shows into a call of expect()."""
    lines = block.text.splitlines()
    for parent in ast.walk(tree):
        for node in getattr(parent, "body", []) if isinstance(getattr(parent, "body", None), list) else []:
            if not isinstance(node, ast.Expr):
                continue
            found = EXPECTED.search(lines[node.end_lineno - block.line])
            if found is not None:
                shown, line = ast.Constant(found[1].strip()), ast.Constant(node.lineno)
                node.value = ast.Call(ast.Name("expect", ast.Load()), [node.value, shown, line], [])
                ast.fix_missing_locations(node)


def expect(value: object, shown: str, line: int) -> None:
    """Raise unless the value shows as the text says."""
    if shown not in (repr(value), str(value)):
        raise AssertionError(f"line {line}: shows {value!r}, not {shown}")


def call(block: Block, command: str) -> None:
    """Run a command to its end."""
    ended = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, timeout=COMMAND_S, stdin=subprocess.DEVNULL
    )
    if ended.returncode != block.exit_status:
        raise AssertionError(f"{block}: {command!r} ended with {ended.returncode}:\n{ended.stdout}{ended.stderr}")


def serve(block: Block, command: str) -> None:
    """Run a command that is to go on until SIGTERM."""
    for seconds in SERVE_S:
        status, said = served(command, seconds)
        if status != -signal.SIGTERM:
            break
    if status != 0 or "hourwheel" not in command:
        raise AssertionError(f"{block}: {command!r} ended with {status}:\n{said}")


def served(command: str, seconds: float) -> tuple[int, str]:
    """How a command ended that was told to after so long, and what it said."""
    process = subprocess.Popen(
        ["bash", "-c", f"exec {command}"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGTERM)
    said, _ = process.communicate(timeout=COMMAND_S)
    return process.returncode, said


def close_schedulers() -> None:
    """Stop what the blocks have started."""
    from hourwheel.worker.run.ending import ALL

    for made in list(ALL):
        made.close()


def main() -> None:
    sys.path.insert(0, os.getcwd())
    page = ModuleType("page")
    sys.modules["page"] = page  # freezegun freezes what it finds in modules
    names = page.__dict__
    ran, most = 0, int(sys.argv[2]) if len(sys.argv) > 2 else 1000
    try:
        for block in blocks_of(Path(sys.argv[1])):
            if block.runs and ran < most:
                run(block, names)
                ran += 1
    finally:
        close_schedulers()
    print(f"\nran {ran}")


if __name__ == "__main__":
    main()
