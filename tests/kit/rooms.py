"""The rooms of wheel/ and store/, and which room imports which, read from the sources.

A room is a folder of wheel/ ("worker"), of store/ ("store/file"), or the flat files beside them ("nouns", "store").
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
FILES: Final = sorted(path for folder in ("wheel", "store") for path in (ROOT / folder).rglob("*.py"))
FRONT_DOOR: Final = ROOT / "wheel" / "__init__.py"
"""It exports names of every room, and imports them only when they are asked for."""


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def targets_of(path: Path) -> Iterator[tuple[Path, list[str]]]:
    """The modules and packages, without suffix, that a file imports from, and the names it takes.

    Imports inside functions and for annotations count.
    """
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.ImportFrom) and node.level:
            place = path.parents[node.level - 1]
            if place == ROOT:  # from the store into the wheel
                place = ROOT / "wheel"
            for part in filter(None, (node.module or "").split(".")):
                place = ROOT / "store" if (place, part) == (ROOT / "wheel", "store") else place / part
            yield place, [alias.name for alias in node.names]


def imports_of(path: Path) -> Iterator[Path]:
    """The files that a file imports; packages themselves are left out."""
    for place, names in targets_of(path):
        for file in [place.with_suffix(".py"), *(place / f"{name}.py" for name in names)]:
            if file in FILES:
                yield file


def room_of(place: Path) -> str:
    """The room of a file or folder of wheel/ or store/."""
    top, *within = place.relative_to(ROOT).parts
    folder = within[0] if within and (ROOT / top / within[0]).is_dir() else ""
    if top == "wheel":
        return folder or "nouns"
    return f"store/{folder}" if folder else "store"


def rooms_imported_by(path: Path) -> set[str]:
    """The rooms a file takes something from, its own included."""
    places = set()
    for place, names in targets_of(path):
        places |= {place / name for name in names} if place == ROOT / "wheel" else {place}
    return {room_of(place) for place in places}


@cache
def rooms() -> Mapping[str, frozenset[str]]:
    """Every room, and the other rooms that it imports."""
    found: dict[str, set[str]] = {room_of(path): set() for path in FILES}
    for path in FILES:
        if path != FRONT_DOOR:
            found[room_of(path)] |= rooms_imported_by(path) - {room_of(path)}
    return {room: frozenset(others) for room, others in sorted(found.items())}
