"""Code blocks of a Markdown file: where they are, and what their info strings ask for.

```python                      run, in a namespace that all blocks of the file share
```python file=tasks.py        written to that file in the working directory, for others to import
```python no-run: why          shown only
```console                     its lines "$ hourwheel ..." and "$ python ..." are run, and must end with status 0
```console exit=1              ... with that status
```console serves              ... are started, must still be there after a while, and end with status 0 at SIGTERM
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

FENCE = re.compile(r"^(?P<fence>`{3,})(?P<language>[A-Za-z]*) *(?P<info>.*)$")
COMMAND = re.compile(r"^\$ ((?:hourwheel|python)(?: .*)?)$")
OPTION = re.compile(r"file=[\w./-]+|exit=\d+|serves|no-run: .{8,}")
LANGUAGES = ("python", "console")


@dataclass(frozen=True)
class Block:
    """A block of python or console."""

    path: Path
    line: int
    """Of its first line of text, from 1."""
    language: str
    info: str
    text: str

    def __str__(self) -> str:
        return f"{self.path.name}:{self.line}"

    @property
    def runs(self) -> bool:
        """Whether something of it is to be run."""
        if self.info.startswith("no-run:"):
            return False
        return self.language == "python" or bool(self.commands)

    @property
    def file(self) -> str | None:
        return self.info.removeprefix("file=") if self.info.startswith("file=") else None

    @property
    def exit_status(self) -> int:
        return int(self.info.removeprefix("exit=")) if self.info.startswith("exit=") else 0

    @property
    def commands(self) -> list[str]:
        return [found[1] for line in self.text.splitlines() if (found := COMMAND.match(line))]

    def fault(self) -> str | None:
        """What is wrong with the info string."""
        if self.info and not OPTION.fullmatch(self.info):
            return f"{self}: the info string {self.info!r} asks for something unknown"
        return None


def blocks_of(path: Path) -> list[Block]:
    """The blocks of a file, in order."""
    blocks: list[Block] = []
    lines = path.read_text(encoding="utf-8").splitlines()
    at = 0
    while at < len(lines):
        opening = FENCE.match(lines[at])
        at += 1
        if opening is None:
            continue
        start = at
        while at < len(lines) and not lines[at].startswith(opening["fence"]):
            at += 1
        if opening["language"] in LANGUAGES:
            text = "\n".join(lines[start:at]) + "\n"
            blocks.append(Block(path, start + 1, opening["language"], opening["info"].strip(), text))
        at += 1
    return blocks
