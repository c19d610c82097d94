"""Records demo.py in a terminal and draws docs/demo.svg, which plays it. Run: python docs/make_recording.py

The run is kept in docs/demo.cast (asciicast, version 2), so that the picture can be drawn anew without another run:
python docs/make_recording.py --draw. Without animation, as some readers prefer, the picture shows the end.
"""

from __future__ import annotations

import codecs
import json
import os
import pty
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple
from xml.sax.saxutils import escape

DOCS: Final = Path(__file__).parent
CAST: Final = DOCS / "demo.cast"
PICTURE: Final = DOCS / "demo.svg"
COMMAND: Final = "python demo.py"
CAPTION: Final = "demo.py at twice its speed: calls in a JSON file, and a worker killed with -9"

COLUMNS, ROWS = 104, 27
LETTER, LINE = 7.83, 19
"""The width of a letter of 13 px, which most fixed-width fonts have, and the height of a line."""
MARGIN, BAR, FOOT = 20, 38, 46
WIDTH: Final = round(2 * MARGIN + COLUMNS * LETTER)
HEIGHT: Final = BAR + ROWS * LINE + FOOT

SPEED: Final = 2.0
PROMPT_S, KILLED_S, END_S = 1.2, 1.5, 6.0
"""How long the picture rests: at the prompt, when the worker was killed, at the end."""
KILL: Final = "kill -9"

STYLES: Final = {1: "bold", 2: "dim", 31: "red", 32: "green", 36: "cyan"}
LEVELS: Final = {"▂": 2, "▄": 4, "▆": 6, "█": 8}
"""Eighths of a line; drawn as boxes, since fonts differ in them."""
NONE_HERE: Final = "·"

STYLE: Final = """
.card{fill:#fbfcfd;stroke:#dfe5ea}.head{fill:#eef2f5}.back{fill:#fbfcfd}.mark{fill:#fde8e0}.track{fill:#e3e9ee}
text{fill:#22313c;font:13px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace}
.quiet{fill:#667885;font-family:system-ui,-apple-system,"Segoe UI","DejaVu Sans",sans-serif;font-size:12px}
.bold{font-weight:700}.dim{fill:#8496a3}.red{fill:#c92a2a;font-weight:700}.green{fill:#2b8a3e;font-weight:700}
.cyan,.cursor,.played{fill:#3590c4}.none{fill:#b9c6cf}.kill{fill:#c92a2a}
@media (prefers-color-scheme:dark){
.card{fill:#10171d;stroke:#26323b}.head{fill:#18222a}.back{fill:#10171d}.mark{fill:#4a1f16}.track{fill:#26323b}
text{fill:#e6edf2}.quiet{fill:#8fa1ae}.dim{fill:#758794}.red{fill:#ff8787}.green{fill:#69db7c}
.cyan,.cursor,.played{fill:#4fb8e3}.none{fill:#3d4e5a}.kill{fill:#ff8787}
}
@media (prefers-reduced-motion:reduce){*{animation:none!important}}"""


# ---- a run ------------------------------------------------------------------------------------------------


class Said(NamedTuple):
    """What a program has written, and when."""

    at_s: float
    text: str


def record(command: Sequence[str]) -> list[Said]:
    """Run a program in a terminal."""
    ours, theirs = pty.openpty()
    environment = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    environment |= {"PYTHONIOENCODING": "utf-8", "COLUMNS": str(COLUMNS), "LINES": str(ROWS)}
    start = time.perf_counter()
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment) as process:  # noqa: S603
        os.close(theirs)
        said = list(listen(ours, start))
        os.close(ours)
    if process.returncode != 0:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}: nothing was drawn")
    return said


def listen(fd: int, start: float) -> Iterator[Said]:
    """What comes from a terminal until its program has ended."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    while True:
        try:
            data = os.read(fd, 65536)
        except OSError:  # EIO: nobody has the other end open
            return
        if text := decoder.decode(data):
            yield Said(round(time.perf_counter() - start, 3), text)


def write_cast(said: Sequence[Said], path: Path) -> None:
    """Keep a run."""
    header = {"version": 2, "width": COLUMNS, "height": ROWS, "command": COMMAND}
    rows = [json.dumps(row, ensure_ascii=False) for row in [header, *([at_s, "o", text] for at_s, text in said)]]
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")


def read_cast(path: Path) -> list[Said]:
    """A run that was kept."""
    _, *rows = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    return [Said(at_s, text) for at_s, kind, text in rows if kind == "o"]


# ---- its lines --------------------------------------------------------------------------------------------


class Piece(NamedTuple):
    """Some text of one style, from a column on."""

    column: int
    style: str
    text: str


@dataclass(frozen=True)
class Line:
    """A line of the terminal."""

    at_s: float
    pieces: Sequence[Piece]

    @property
    def text(self) -> str:
        """Without its styles and most of its blanks."""
        return " ".join(piece.text for piece in self.pieces)

    @property
    def kills(self) -> bool:
        """Whether it tells of the kill; a heading may only speak of it."""
        return self.text.startswith(KILL) and self.pieces[0].style == "red"


def lines_of(said: Sequence[Said]) -> list[Line]:
    """The lines, each with the moment at which it was complete."""
    whole: list[Line] = []
    rest = ""
    for at_s, text in said:
        *ended, rest = (rest + text).replace("\r\n", "\n").split("\n")
        whole += [Line(at_s, list(pieces_of(line))) for line in ended]
    return whole


def pieces_of(line: str) -> Iterator[Piece]:
    """Text between blanks of two or more, so that columns stay in line whatever the font."""
    style, column = "", 0
    for part in re.split(r"(\x1b\[[\d;]*m)", line):
        if part.startswith("\x1b"):
            style = STYLES.get(int(part[2:-1] or 0), "")
            continue
        for found in re.finditer(r"\S+(?: \S+)*", part):
            yield Piece(column + found.start(), style, found[0])
        column += len(part)


# ---- the picture ------------------------------------------------------------------------------------------


def draw(said: Sequence[Said]) -> str:
    """The picture that plays a run."""
    lines = lines_of(said)
    [killed] = [line for line in lines if line.kills]
    shown = [(shown_s(line.at_s, killed.at_s), line) for line in lines]
    length_s = shown[-1][0] + END_S
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
            f"<title>{CAPTION}: nothing is lost</title>",
            f"<style>{STYLE}{motion([at_s for at_s, _ in shown], length_s)}</style>",
            f'<clipPath id="screen"><rect x="1" y="{BAR}" width="{WIDTH - 2}" height="{ROWS * LINE}"/></clipPath>',
            *window(),
            f'<g clip-path="url(#screen)"><g class="scroll" transform="translate(0 {BAR})">',
            f'<text class="bold" x="{MARGIN}" y="14">$ {COMMAND}</text>',
            *(part for row, (_, line) in enumerate(shown, 1) for part in drawn(row, line)),
            f'<g class="cover"><rect class="back" width="{WIDTH}" height="{(len(lines) + 2) * LINE}"/>',
            f'<rect class="cursor" x="{MARGIN}" y="2" width="8" height="15"/></g>',
            "</g></g>",
            *progress(shown_s(killed.at_s, killed.at_s) / length_s, killed.text),
            "</svg>\n",
        ]
    )


def shown_s(at_s: float, killed_s: float) -> float:
    """When the picture shows what was written at that moment."""
    return PROMPT_S + at_s / SPEED + (KILLED_S if at_s > killed_s else 0.0)


def motion(at_s: Sequence[float], length_s: float) -> str:
    """One animation moves the cover down from line to line, another one the lines up when the screen is full."""
    rows = {0.0: 1} | {100 * moment / length_s: row for row, moment in enumerate(at_s, 2)}
    cover = "".join(f"{percent:.2f}%{{transform:translateY({row * LINE}px)}}" for percent, row in rows.items())
    ups = {percent: max(0, row + 1 - ROWS) * LINE for percent, row in rows.items()}
    scroll = "".join(f"{percent:.2f}%{{transform:translateY({BAR - up}px)}}" for percent, up in ups.items())
    last = len(at_s) + 1
    end = BAR - max(0, last + 1 - ROWS) * LINE
    return f"""
@keyframes cover{{{cover}}}
@keyframes scroll{{{scroll}}}
@keyframes played{{0%{{transform:scaleX(0)}}}}
@keyframes blink{{50%{{opacity:0}}}}
.cover{{transform:translateY({last * LINE}px);animation:cover {length_s:.2f}s step-end infinite}}
.scroll{{transform:translateY({end}px);animation:scroll {length_s:.2f}s step-end infinite}}
.played{{transform-origin:{MARGIN}px 0;animation:played {length_s:.2f}s linear infinite}}
.cursor{{animation:blink 1s step-end infinite}}
"""


def drawn(row: int, line: Line) -> Iterator[str]:
    """A line of text; one that tells of a kill stands out."""
    top = row * LINE
    if line.kills:
        width = WIDTH - 2 * MARGIN + 16
        yield f'<rect class="mark" x="{MARGIN - 8}" y="{top}" width="{width}" height="{LINE}" rx="4"/>'
    for column, style, text in line.pieces:
        x = MARGIN + column * LETTER
        if set(text) <= {*LEVELS, NONE_HERE}:
            yield from strip(x, top, text)
        else:
            kind = f' class="{style}"' if style else ""
            yield f'<text{kind} x="{x:.1f}" y="{top + 14}">{escape(text)}</text>'


def strip(left: float, top: int, text: str) -> Iterator[str]:
    """What lies ahead on the ring, a box for each second."""
    boxes, dots = "", ""
    for column, sign in enumerate(text):
        x = left + column * LETTER
        if sign == NONE_HERE:
            dots += f"M{x + 3:.1f} {top + 13}h2v2h-2z"
        else:
            height = LEVELS[sign] * 2 - 1
            boxes += f"M{x + 0.6:.1f} {top + 17}v-{height}h6.6v{height}z"
    yield f'<path class="none" d="{dots}"/>' if dots else ""
    yield f'<path class="cyan" d="{boxes}"/>' if boxes else ""


def window() -> Iterator[str]:
    """The frame of the terminal."""
    yield f'<rect class="card" x=".5" y=".5" width="{WIDTH - 1}" height="{HEIGHT - 1}" rx="12"/>'
    yield f'<path class="head" d="M1 {BAR - 8}V13a12 12 0 0 1 12-12H{WIDTH - 13}a12 12 0 0 1 12 12V{BAR - 8}z"/>'
    yield f'<text class="quiet" x="{MARGIN}" y="20">{CAPTION}</text>'


def progress(killed: float, told: str) -> Iterator[str]:
    """How far the recording is, and where the worker is killed; this stays to be read when its line has gone."""
    top, width = HEIGHT - 20, WIDTH - 2 * MARGIN
    x = MARGIN + killed * width
    yield f'<rect class="track" x="{MARGIN}" y="{top}" width="{width}" height="4" rx="2"/>'
    yield f'<rect class="played" x="{MARGIN}" y="{top}" width="{width}" height="4" rx="2"/>'
    yield f'<rect class="kill" x="{x:.1f}" y="{top - 4}" width="3" height="12" rx="1.5"/>'
    yield f'<text class="quiet" x="{x:.1f}" y="{top - 9}" text-anchor="middle">{escape(told)}</text>'


if __name__ == "__main__":
    if "--draw" not in sys.argv[1:]:
        write_cast(record([sys.executable, str(DOCS.parent / "demo.py")]), CAST)
    PICTURE.write_text(draw(read_cast(CAST)), encoding="utf-8")
