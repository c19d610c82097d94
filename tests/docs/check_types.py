"""Type-checks the Python blocks of README.md and docs/ (or of the pages that are named) with mypy.

Each page has a folder in .cache/docs_types/, with a module for each of its blocks. A block stands at the lines that it
has in the page, so mypy's lines are the page's; on line 1 it imports what it uses of the blocks before it.

mypy is strict but for what is a snippet's own business; each exemption says why. Before the pages it reads
wrong_types.md, whose lines say which error they are: a checker that finds less has gone blind.
"""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from symtable import SymbolTable, symtable

from blocks import Block, blocks_of

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
WORK = ROOT / ".cache" / "docs_types"
SAMPLE = HERE / "wrong_types.md"

OTHERS = re.compile(r"no-run: .*(for comparison|what it was)")
"""Programs that are not ours."""
OPTIONS = [
    "--strict",
    "--explicit-package-bases",
    "--allow-untyped-defs",  # whether the reader annotates functions is the reader's choice
    "--allow-incomplete-defs",
    "--allow-untyped-calls",
    "--disable-error-code=var-annotated",
    "--implicit-reexport",  # blocks import from one another what they have imported
    "--disable-error-code=import-untyped",  # Django has no types
    "--allow-subclassing-any",  # nor has its TestCase
]
SEEN = re.compile(r".*\bNone\b.*\[(union-attr|index|operator)\]$")
"""What mypy takes for None, maybe: the run of the page shows that it is not."""
READERS = re.compile(r'.*(Name "(post_sms|MyStore|sys)" is not defined|module named "shop")')
"""What a page leaves to the reader to define."""
MESSAGE = re.compile(r"(?P<path>.*?):(?P<line>\d+): error: (?P<text>.*)")


def module_of(block: Block) -> str:
    return f"line_{block.line}"


def scopes(table: SymbolTable) -> Iterator[SymbolTable]:
    yield table
    for child in table.get_children():
        yield from scopes(child)


def names_in(block: Block) -> tuple[set[str], set[str]]:
    """The names that a block defines, and those that it only uses."""
    top = symtable(block.text, str(block), "exec")
    defined = {one.get_name() for one in top.get_symbols() if one.is_assigned() or one.is_imported()}
    used = {one.get_name() for scope in scopes(top) for one in scope.get_symbols() if one.is_global() or scope is top}
    return defined, used - defined


def lay(blocks: list[Block], folder: Path) -> list[str]:
    """Write the blocks of a page as modules; their paths."""
    files: list[str] = []
    home: dict[str, str] = {}
    for block in blocks:
        imports = ""
        if block.file is None:
            defined, used = names_in(block)
            imports = "; ".join(f"from {home[name]} import {name}" for name in sorted(used & home.keys()))
            home.update(dict.fromkeys(defined, module_of(block)))
        target = folder / (block.file or f"{module_of(block)}.py")
        target.parent.mkdir(parents=True, exist_ok=True)
        if str(target) in files:
            raise SystemExit(f"{block}: the page has another {block.file}; give this one another name")
        target.write_text(imports + "\n" * (block.line - 1) + block.text, encoding="utf-8")
        files.append(str(target))
    return files


def lines_to_be_refused(blocks: list[Block]) -> set[int]:
    """Where a page shows what is refused at run time: in the body of a try, whose error it shows."""
    found: set[int] = set()
    for block in blocks:
        for node in ast.walk(ast.parse(block.text)):
            if isinstance(node, ast.Try):
                first, last = node.body[0].lineno, node.body[-1].end_lineno
                assert last is not None
                found.update(range(block.line - 1 + first, block.line + last))
    return found


def errors_of(page: Path) -> list[tuple[int, str]]:
    """What is wrong with a page: line, and message."""
    blocks = [one for one in blocks_of(page) if one.language == "python" and not OTHERS.match(one.info)]
    if not blocks:
        return []
    folder = WORK / page.relative_to(ROOT).with_suffix("")
    files = lay(blocks, folder)
    cache = ROOT / ".cache" / "mypy_docs"
    command = [sys.executable, "-m", "mypy", "--config-file=", "--cache-dir", str(cache), *OPTIONS, *files]
    env = os.environ | {"MYPYPATH": f"{folder}:{ROOT / '.cache' / 'imported'}"}
    ended = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True)
    if ended.returncode not in (0, 1) or ended.stderr:
        raise SystemExit(f"{page}: {ended.stdout}{ended.stderr}")
    refused = lines_to_be_refused(blocks)
    found = [(int(one["line"]), one["text"]) for one in map(MESSAGE.match, ended.stdout.splitlines()) if one]
    return sorted(
        (line, text) for line, text in found if line not in refused and not SEEN.match(text) and not READERS.match(text)
    )


def is_blind() -> bool:
    """Whether the checker does not say of the sample what the sample says of itself."""
    lines = SAMPLE.read_text(encoding="utf-8").splitlines()
    said = [(number, mark[1]) for number, line in enumerate(lines, 1) if (mark := re.search(r"# error: (\S+)$", line))]
    found = [(line, text.rpartition("[")[2].rstrip("]")) for line, text in errors_of(SAMPLE)]
    if found != said:
        print(f"{SAMPLE}: says {said}, mypy says {found}")
    return found != said


def main() -> None:
    shutil.rmtree(WORK, ignore_errors=True)
    failed = is_blind()
    pages = [Path(name).resolve() for name in sys.argv[1:]]
    for page in pages or [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        for line, text in errors_of(page):
            print(f"{page.relative_to(ROOT)}:{line}: {text}")
            failed = True
    sys.exit(failed)


if __name__ == "__main__":
    main()
