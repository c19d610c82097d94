"""The ring as a picture: well-formed, safe with any label, and true to the counts."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hourwheel.cli.picture import SLOTS, ring_svg, ring_text, shade_starts
from hourwheel.errors import InvalidValue

NS = "{http://www.w3.org/2000/svg}"
DOCS = Path(__file__).parents[3] / "docs"


def density(**counts: int) -> list[int]:
    """Counts by slot, given as s<slot>=count."""
    cells = [0] * SLOTS
    for name, count in counts.items():
        cells[int(name[1:])] = count
    return cells


def texts(svg: str, tag: str = "text") -> list[str]:
    return [element.text or "" for element in ElementTree.fromstring(svg).iter(NS + tag)]


def cells_by_class(svg: str) -> dict[str, int]:
    """How many cells are drawn in each shade."""
    found: dict[str, int] = {}
    for path in ElementTree.fromstring(svg).iter(NS + "path"):
        shade = path.get("class", "")
        if re.fullmatch(r"s\d", shade):
            found[shade] = found.get(shade, 0) + path.get("d", "").count("M")
    return found


# ---- SVG ---------------------------------------------------------------------------------------------------


def test_an_empty_ring_is_well_formed_and_says_that_it_is_empty() -> None:
    svg = ring_svg([0] * SLOTS, 0)
    assert "0" in texts(svg)
    assert "no jobs in this turn" in texts(svg)
    assert cells_by_class(svg) == {}


def test_each_slot_that_holds_something_has_one_cell() -> None:
    assert sum(cells_by_class(ring_svg(density(s0=1, s59=2, s60=3, s3599=4), 0)).values()) == 4
    assert sum(cells_by_class(ring_svg([1] * SLOTS, 0)).values()) == SLOTS


def test_the_cells_of_a_full_ring_lie_all_in_different_places() -> None:
    svg = ring_svg([1] * SLOTS, 0)
    places = re.findall(r"M[^Z]+Z", svg)
    assert len(places) == len(set(places)) == SLOTS


def test_more_jobs_give_a_darker_shade_and_the_legend_counts_them() -> None:
    svg = ring_svg(density(s1=1, s2=2, s3=3, s4=4, s5=9, s6=20), 0)
    assert cells_by_class(svg) == {"s1": 1, "s2": 2, "s3": 1, "s4": 1, "s5": 1}
    assert [text for text in texts(svg) if "–" in text or text == "1"] == ["1", "2–3", "4–7", "8–15", "16–20"]


def test_counts_are_shown_in_words_too() -> None:
    svg = ring_svg(density(s60=1000, s61=234, s3599=1), 3_600 * 5 + 61)
    assert "1,235" in texts(svg)
    told = texts(svg, "title")
    assert told[0] == "Hourwheel: 1,235 jobs on a ring of 3600 slots, the hand is at slot 61"
    assert "slots 60 to 119: 1,234 jobs, most in slot 60: 1,000" in told
    assert "slots 3540 to 3599: 1 job, most in slot 3599: 1" in told


def test_title_and_labels_are_escaped_and_what_xml_forbids_is_replaced() -> None:
    nasty = '</text><script>alert("&")</script>\x00\x1b\ud800'
    svg = ring_svg([0] * SLOTS, 0, title=nasty, labels=[nasty, "ünïcödé ✓"])
    root = ElementTree.fromstring(svg)
    shown = nasty.replace("\x00", "\ufffd").replace("\x1b", "\ufffd").replace("\ud800", "\ufffd")
    assert texts(svg).count(shown) == 2
    assert "ünïcödé ✓" in texts(svg)
    assert {element.tag for element in root.iter()} <= {
        NS + tag for tag in "svg title style rect circle path text g".split()
    }


def test_the_picture_holds_no_script_and_loads_nothing() -> None:
    svg = ring_svg([3] * SLOTS, 77, title="t", labels=["a", "b"])
    assert not re.search(r"<script|href|url\(|@import|\son\w+=", svg)
    assert svg.count("http") == 1  # the namespace


def test_both_light_and_dark_readers_have_every_colour() -> None:
    svg = ring_svg([1] * SLOTS, 0)
    light, dark = svg.split("@media (prefers-color-scheme:dark)")
    for name in ("card", "bed", "rim", "text", "quiet", "hand", "tip", "s1", "s2", "s3", "s4", "s5"):
        assert f".{name}{{" in light
        assert f".{name}{{" in dark.split("</style>")[0]


def test_the_hand_points_to_its_minute_as_a_clock_does() -> None:
    def tip(hand: int) -> tuple[float, float]:
        circle = next(
            c
            for c in ElementTree.fromstring(ring_svg([0] * SLOTS, hand)).iter(NS + "circle")
            if c.get("class") == "tip"
        )
        return float(circle.get("cx", "")), float(circle.get("cy", ""))

    middle = 320.0, 346.0
    assert tip(0)[1] < middle[1] - 250  # top
    assert tip(900)[0] > middle[0] + 250  # right
    assert tip(1800)[1] > middle[1] + 250  # bottom
    assert tip(2700)[0] < middle[0] - 250  # left
    assert tip(2700) == tip(2700 + 3600 * 400_000)


@pytest.mark.parametrize("most", [1, 2, 3, 31, 32, 33, 999, 100_000, 10**7, 10**12])
def test_shades_start_at_one_grow_and_reach_the_most(most: int) -> None:
    starts = shade_starts(most)
    assert starts[0] == 1
    assert starts == sorted(set(starts))
    assert len(starts) <= 5
    assert starts[-1] <= most


# ---- text --------------------------------------------------------------------------------------------------


def test_the_text_has_a_line_a_row_with_its_count_and_a_line_that_explains() -> None:
    lines = ring_text(density(s0=5, s359=1, s3599=1234), 360).splitlines()
    assert len(lines) == 11
    assert lines[0] == "00:00 ▁" + "·" * 58 + "▁        6"
    assert lines[1].startswith("06:00 ┃·")
    assert lines[9] == "54:00 " + "·" * 59 + "█    1,234"
    assert lines[10] == "┃ hand at slot 360   █ 1,234 in 6 s   1,240 jobs"


@pytest.mark.parametrize(("columns", "rows"), [(60, 10), (60, 60), (80, 1), (7, 3), (1, 1)])
def test_every_job_is_counted_in_one_row_and_the_hand_is_shown_once(columns: int, rows: int) -> None:
    cells = [slot % 7 for slot in range(SLOTS)]
    for hand in (0, 1, 1799, 1800, 3599, 3600 * 9 + 5):
        lines = ring_text(cells, hand, columns=columns, rows=rows).splitlines()
        assert sum(int(line.rsplit(None, 1)[1].replace(",", "")) for line in lines[:-1]) == sum(cells)
        strips = [line.split(" ", 2)[1] for line in lines[:-1]]
        assert [len(strip) for strip in strips] == [columns] * rows
        assert "".join(strips).index("┃") == hand % SLOTS * columns * rows // SLOTS


def test_an_empty_ring_has_no_bars() -> None:
    assert ring_text([0] * SLOTS, 0, columns=4, rows=1) == "00:00 ┃···        0\n┃ hand at slot 0   0 jobs"


# ---- wrong use, and the document ---------------------------------------------------------------------------


@pytest.mark.parametrize("cells", [[], [0] * 3599, [0] * 3601, [-1] + [0] * 3599])
def test_what_is_not_a_ring_is_refused(cells: list[int]) -> None:
    with pytest.raises(InvalidValue, match="density must be"):
        ring_svg(cells, 0)
    with pytest.raises(InvalidValue, match="density must be"):
        ring_text(cells, 0)


@pytest.mark.parametrize(("columns", "rows"), [(0, 1), (1, 0), (61, 60), (-1, -1)])
def test_a_strip_without_cells_or_with_too_many_is_refused(columns: int, rows: int) -> None:
    with pytest.raises(InvalidValue, match="columns"):
        ring_text([0] * SLOTS, 0, columns=columns, rows=rows)


def test_the_picture_in_the_documents_is_the_one_that_the_code_draws() -> None:
    drawn = runpy.run_path(str(DOCS / "make_ring.py"))["draw"]()
    assert (DOCS / "ring.svg").read_text(encoding="utf-8") == drawn, "run: python docs/make_ring.py"
