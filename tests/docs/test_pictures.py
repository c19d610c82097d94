"""The pictures in docs/ are what the code draws now, and the recording is of a run in which a worker was killed."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.kit.rooms import rooms

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def make_rooms() -> dict[str, Any]:
    return runpy.run_path(str(DOCS / "make_rooms.py"))


def words_of(svg: str) -> list[str]:
    return [
        "".join(element.itertext()) for element in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")
    ]


def test_the_map_of_the_rooms_is_the_one_that_is_drawn_now(make_rooms) -> None:
    assert (DOCS / "rooms.svg").read_text(encoding="utf-8") == make_rooms["draw"](), "run: python docs/make_rooms.py"


def test_the_map_has_every_room(make_rooms) -> None:
    shown = {word.strip("/") for word in words_of(make_rooms["draw"]())}
    assert len(rooms()) > 10
    assert {room.split("/")[-1] for room in rooms()} - {"nouns"} <= shown


def test_an_arrow_is_left_out_only_if_others_lead_there(make_rooms) -> None:
    imports = {"top": {"middle", "ground"}, "middle": {"ground", "top"}, "ground": set(), "beside": {"top"}}
    floors = [["top", "beside"], ["middle"], ["ground"]]
    assert make_rooms["arrows"](imports, floors) == [("top", "middle"), ("middle", "ground")]
    imports["middle"] = set()
    assert make_rooms["arrows"](imports, floors) == [("top", "ground"), ("top", "middle")]


# ---- the recording ----------------------------------------------------------------------------------------

RED, BOLD, OFF = "\x1b[31m", "\x1b[1m", "\x1b[0m"
KILLED = f"{RED}  kill -9 4711: worker A is dead; it was running <test(7)>{OFF}"


@pytest.fixture(scope="module")
def make_recording() -> dict[str, Any]:
    return runpy.run_path(str(DOCS / "make_recording.py"))


def test_the_recording_is_drawn_from_the_run_that_is_kept(make_recording) -> None:
    drawn = make_recording["draw"](make_recording["read_cast"](DOCS / "demo.cast"))
    assert (DOCS / "demo.svg").read_text(encoding="utf-8") == drawn, "run: python docs/make_recording.py --draw"
    assert len(drawn) < 150_000


def test_the_recording_is_of_a_run_with_a_kill_in_which_nothing_was_lost() -> None:
    words = words_of((DOCS / "demo.svg").read_text(encoding="utf-8"))
    assert [word for word in words if word.startswith("kill -9 ")]
    assert [word for word in words if "started again in process" in word]
    assert "Nothing was lost." in words


def test_lines_are_shown_when_they_were_complete_and_stand_in_their_columns(make_recording) -> None:
    said = [make_recording["Said"](*one) for one in [(1.0, f"{BOLD}a b{OFF}   c\r\nha"), (2.0, "lf\r\n"), (3.0, "x")]]
    assert [(line.at_s, [tuple(piece) for piece in line.pieces]) for line in make_recording["lines_of"](said)] == [
        (1.0, [(0, "bold", "a b"), (6, "", "c")]),
        (2.0, [(0, "", "half")]),
    ]


def test_a_short_run_is_drawn_and_stands_still_at_its_end(make_recording) -> None:
    said = [make_recording["Said"](*one) for one in [(0.0, "  12   ·▂█\r\n"), (2.0, f"{KILLED}\r\n"), (4.0, "end\r\n")]]
    drawn = make_recording["draw"](said)
    words = words_of(drawn)
    assert words[1:3] == ["$ python demo.py", "12"]
    assert words.count("kill -9 4711: worker A is dead; it was running <test(7)>") == 2
    speed, prompt, killed, end = (make_recording[name] for name in ("SPEED", "PROMPT_S", "KILLED_S", "END_S"))
    length = prompt + 4 / speed + killed + end
    assert f"cover {length:.2f}s step-end infinite" in drawn
    assert f"{100 * (length - end) / length:.2f}%{{transform:translateY({4 * make_recording['LINE']}px)}}" in drawn
    assert f".cover{{transform:translateY({4 * make_recording['LINE']}px)" in drawn


def test_a_run_without_a_kill_is_not_drawn(make_recording) -> None:
    with pytest.raises(ValueError, match="unpack"):
        make_recording["draw"]([make_recording["Said"](0.0, f"{BOLD}Part two: kill -9{OFF}\r\n")])


def test_what_a_program_writes_to_a_terminal_is_recorded_and_can_be_kept(make_recording, tmp_path: Path) -> None:
    program = "import sys, time; print('\u2582', sys.stdout.isatty(), flush=True); time.sleep(0.05); print('end')"
    said = make_recording["record"]([sys.executable, "-c", program])
    assert "".join(text for _, text in said) == "\u2582 True\r\nend\r\n"
    assert said[-1].at_s > said[0].at_s > 0
    make_recording["write_cast"](said, tmp_path / "a.cast")
    assert make_recording["read_cast"](tmp_path / "a.cast") == said


def test_a_program_that_fails_is_not_recorded(make_recording) -> None:
    with pytest.raises(SystemExit, match="ended with 3"):
        make_recording["record"]([sys.executable, "-c", "raise SystemExit(3)"])
