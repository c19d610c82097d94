"""The pictures in docs/ are what the code draws now, and the recording is of a run in which a worker was killed."""

from __future__ import annotations

import runpy
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
