"""Draws docs/rooms.svg: the rooms of the code, and which imports which. Run: python docs/make_rooms.py

Floors come from the layers in pyproject.toml, which `make lint` checks; rooms and imports come from the sources. Lines
of code do not count, so the picture changes only when a room does.
"""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from textwrap import wrap
from typing import Final

ROOT: Final = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.kit.rooms import rooms  # noqa: E402 - from the clone, not from an installed package

Imports = Mapping[str, frozenset[str]]

WIDTH: Final = 880
LEFT, RIGHT = 20, 640
"""Of the house; the store stands to the right of it."""
STORE_LEFT, STORE_RIGHT = 690, 860
TOP: Final = 76
LINE, GAP = 19, 30
"""A line of text; and between floors."""
LETTER, CHIP = 6.3, 7.3
"""The width of a letter, and in a chip."""
GROUND_HEIGHT: Final = 74
GROUND: Final = frozenset({"nouns", "safety"})

STYLE: Final = """
.card{fill:#fbfcfd;stroke:#dfe5ea}.room{fill:#fff;stroke:#c6d2db}.chip{fill:#eaf1f6;stroke:none}
.text,.name{fill:#22313c}.quiet{fill:#667885}.line{stroke:#7d93a3;fill:none}.tip{fill:#7d93a3}
.aside{stroke-dasharray:4 4}
.f0{fill:#c4e2f1}.f1{fill:#a5d1e8}.f2{fill:#83bfdf}.f3{fill:#61abd3}.f4{fill:#4296c5}.f5{fill:#2a80b3}.f6{fill:#15669f}
.f7{fill:#0b3c6b}.f8{fill:#0c8599}
text{font-family:system-ui,-apple-system,"Segoe UI","DejaVu Sans",sans-serif;font-size:12px}
.name,.mono{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace}
.name{font-size:15px;font-weight:600}.title{font-size:17px;font-weight:600}
@media (prefers-color-scheme:dark){
.card{fill:#10171d;stroke:#26323b}.room{fill:#18222a;stroke:#34444f}.chip{fill:#24323c}
.text,.name{fill:#e6edf2}.quiet{fill:#8fa1ae}.line{stroke:#6d8494}.tip{fill:#6d8494}
.f0{fill:#d3f1ff}.f1{fill:#b4e3f8}.f2{fill:#92d5f2}.f3{fill:#6cc7ec}.f4{fill:#4cb1dc}.f5{fill:#2f9bcb}.f6{fill:#1f6f96}
.f7{fill:#174a66}.f8{fill:#3bc9db}
}"""


@dataclass(frozen=True, kw_only=True)
class Box:
    """The place of a room in the picture."""

    floor: int
    left: float
    right: float
    top: float = 0.0
    bottom: float = 0.0
    also: Sequence[str] = ()
    """Lines of text."""


def floors() -> list[list[str]]:
    """The layers that import-linter checks, the highest first; the last one has the flat files as well."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    contracts = tomllib.loads(text)["tool"]["importlinter"]["contracts"]
    [layers] = [contract["layers"] for contract in contracts if contract["type"] == "layers"]
    return [layer.split(" : ") for layer in layers]


def one_store(imports: Imports) -> dict[str, set[str]]:
    """The rooms of store/ taken as one, and those on the ground floor, too."""
    names = {room: "store" if room.startswith("store") else "nouns" if room in GROUND else room for room in imports}
    merged: dict[str, set[str]] = {name: set() for name in names.values()}
    for room, others in imports.items():
        merged[names[room]] |= {names[other] for other in others} - {names[room]}
    return merged


def arrows(imports: Mapping[str, set[str]], upper: list[list[str]]) -> list[tuple[str, str]]:
    """The imports from floor to floor that do not follow from others."""
    at = {room: number for number, floor in enumerate(upper) for room in floor}
    below = {room: {other for other in imports[room] if at.get(other, -1) > at[room]} for room in at}

    def reaches(room: str, target: str) -> bool:
        return any(other == target or reaches(other, target) for other in below[room])

    return [
        (room, other)
        for room in at
        for other in sorted(below[room])
        if not any(reaches(between, other) for between in below[room])
    ]


def boxes(upper: list[list[str]], drawn: list[tuple[str, str]]) -> dict[str, Box]:
    """Rooms share the width of their floor. If an arrow has to pass, a room takes one half, left and right in turn."""
    at = {room: number for number, floor in enumerate(upper) for room in floor}
    passed = {floor for room, other in drawn for floor in range(at[room] + 1, at[other])}
    placed: dict[str, Box] = {}
    for number, floor in enumerate(upper):
        alone = len(floor) == 1 and number in passed
        parts = 2 if alone else len(floor)
        first = sorted(passed).index(number) % 2 if alone else 0
        width = (RIGHT - LEFT - GAP * (parts - 1)) / parts
        for place, room in enumerate(floor, first):
            left = LEFT + place * (width + GAP)
            placed[room] = Box(floor=number, left=left, right=left + width)
    return placed


def filled(placed: Mapping[str, Box], imports: Mapping[str, set[str]], drawn: list[tuple[str, str]]) -> dict[str, Box]:
    """With what rooms import that no arrow shows; a floor is as high as the most of its text."""
    also = {}
    for room, box in placed.items():
        others = sorted(imports[room] - {"nouns", "store"} - {other for one, other in drawn if one == room})
        text = f"also {', '.join(others)}" if others else ""
        also[room] = wrap(text, int((box.right - box.left - 30) / LETTER))
    top, done = TOP, {}
    for floor in sorted({box.floor for box in placed.values()}):
        names = [room for room, box in placed.items() if box.floor == floor]
        bottom = top + 40 + LINE * max(len(also[room]) for room in names)
        done |= {room: replace(placed[room], top=top, bottom=bottom, also=also[room]) for room in names}
        top = bottom + GAP
    return done


def inner(folder: Path) -> list[str]:
    """The rooms within a room."""
    return [f"{path.parent.name}/" for path in sorted(folder.glob("*/__init__.py"))]


# ---- drawing ----------------------------------------------------------------------------------------------


def words(x: float, y: float, text: str, kind: str) -> str:
    """A line of text."""
    return f'<text class="{kind}" x="{x:g}" y="{y:g}">{text}</text>'


def chips(x: float, y: float, names: list[str], right: float) -> Iterator[str]:
    """Names in small boxes, as many in a row as fit."""
    left = x
    for name in names:
        width = CHIP * len(name) + 12
        if x + width > right:
            x, y = left, y + 25
        yield f'<rect class="chip" x="{x:g}" y="{y - 14:g}" width="{width:g}" height="20" rx="5"/>'
        yield words(x + 6, y, name, "text mono")
        x += width + 6


def frame(left: float, top: float, right: float, bottom: float, shade: int) -> Iterator[str]:
    """A box with a stripe at its left."""
    width, height = right - left, bottom - top
    yield f'<rect class="room" x="{left:g}" y="{top:g}" width="{width:g}" height="{height:g}" rx="8"/>'
    yield f'<rect class="f{shade}" x="{left:g}" y="{top:g}" width="6" height="{height:g}" rx="3"/>'


def room(name: str, box: Box) -> Iterator[str]:
    """A room, the rooms within it, and what else it imports."""
    yield from frame(box.left, box.top, box.right, box.bottom, min(box.floor, 7))
    yield words(box.left + 18, box.top + 25, f"{name}/", "name")
    yield from chips(box.left + 43 + 9.1 * len(name), box.top + 24, inner(ROOT / "wheel" / name), box.right)
    for number, line in enumerate(box.also):
        yield words(box.left + 18, box.top + 46 + LINE * number, line, "quiet")


def arrow(path: str, x: float, y: float, turn: int, kind: str = "line") -> str:
    """A line, and its tip at (x, y)."""
    tip = f'<path class="tip" d="M0 0l-4.5 -8h9z" transform="translate({x:g} {y:g}) rotate({turn})"/>'
    return f'<path class="{kind}" d="{path}"/>{tip}'


def down(source: Box, target: Box) -> str:
    """An arrow from one floor to a lower one."""
    x = (max(source.left, target.left) + min(source.right, target.right)) / 2
    return arrow(f"M{x:g} {source.bottom:g}V{target.top - 7:g}", x, target.top, 0)


def aside(box: Box, last: bool) -> str:
    """An arrow to the store; a room that has another one beside it goes below that."""
    y = (box.top + box.bottom) / 2 if last else box.bottom + GAP / 2
    start = f"M{box.right:g} {y:g}" if last else f"M{box.right:g} {box.bottom - 12:g}h{GAP / 2:g}V{y:g}"
    return arrow(f"{start}H{STORE_LEFT - 7}", STORE_LEFT, y, -90, "line aside")


def store(bottom: float) -> Iterator[str]:
    """store/, over the nouns and beside all else."""
    yield from frame(STORE_LEFT, TOP, STORE_RIGHT, bottom, 8)
    yield words(STORE_LEFT + 18, TOP + 25, "store/", "name")
    rooms_within = {name: inner(ROOT / "store" / name) for name in inner(ROOT / "store")}
    left, width = STORE_LEFT + 20, STORE_RIGHT - STORE_LEFT - 36
    for name, within in sorted(rooms_within.items(), reverse=True):  # from the ground up
        height = 36 + 26 * len(within)
        bottom -= height + 14
        yield f'<rect class="room" x="{left}" y="{bottom:g}" width="{width}" height="{height}" rx="6"/>'
        yield words(left + 12, bottom + 23, name, "text mono")
        for row, folder in enumerate(within):
            yield from chips(left + 12, bottom + 49 + 26 * row, [folder], STORE_RIGHT)


def ground(top: float, names: list[str]) -> Iterator[str]:
    """The nouns, under the house and the store."""
    yield from frame(LEFT, top, STORE_RIGHT, top + GROUND_HEIGHT, 7)
    yield words(LEFT + 18, top + 25, "the nouns", "name")
    yield words(
        LEFT + 116, top + 25, "the flat files of wheel/; every room imports some, and they import no room", "quiet"
    )
    files = [f"{name}/" if (ROOT / "wheel" / name).is_dir() else name for name in names]
    yield from chips(LEFT + 18, top + 52, files, STORE_RIGHT - 10)


def draw() -> str:
    """The picture."""
    *upper, nouns = floors()
    imports = one_store(rooms())
    drawn = arrows(imports, upper)
    placed = filled(boxes(upper, drawn), imports, drawn)
    bottom = max(box.bottom for box in placed.values())
    top = bottom + GAP
    floor = Box(floor=len(upper), left=LEFT, right=STORE_RIGHT, top=top)
    parts: list[str] = [down(placed[one], placed[other]) for one, other in drawn]
    parts += [down(placed[one], floor) for one in upper[-1]]
    parts += [aside(placed[one], one == row[-1]) for row in upper for one in row if "store" in imports[one]]
    parts.append(down(Box(floor=0, left=STORE_LEFT, right=STORE_RIGHT, bottom=bottom), floor))
    for name, box in placed.items():
        parts += room(name, box)
    height = top + GROUND_HEIGHT + 20
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:g}" role="img">',
            "<title>The rooms of Hourwheel: imports go down, from floor to floor</title>",
            f"<style>{STYLE}</style>",
            f'<rect class="card" x=".5" y=".5" width="{WIDTH - 1}" height="{height - 1:g}" rx="14"/>',
            words(LEFT, 34, "The rooms of Hourwheel", "text title"),
            words(LEFT, 56, 'Imports go down. "also" lists imports that the arrows imply.', "quiet"),
            *parts,
            *store(bottom),
            *ground(top, nouns),
            "</svg>\n",
        ]
    )


if __name__ == "__main__":
    Path(__file__).with_name("rooms.svg").write_text(draw(), encoding="utf-8")
