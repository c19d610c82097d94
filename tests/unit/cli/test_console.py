"""Columns, colours, and times as people read them."""

from __future__ import annotations

import io

import pytest
from hourwheel.cli.console import Cell, Console, columns, cut, plain
from hourwheel.errors import InvalidValue
from hourwheel.explain.when import local, read_either, read_instant, read_span, since, span, until, utc
from hypothesis import given
from hypothesis import strategies as st

from .conftest import NOW_MS


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


def painted(environ: dict[str, str], *, colour: bool = True, screen: io.StringIO | None = None) -> str:
    out = Screen() if screen is None else screen
    Console(out, io.StringIO(), environ, colour=colour).line(Cell("red", "red"), " plain")
    return out.getvalue()


def test_a_terminal_is_painted() -> None:
    assert painted({}) == "\x1b[31mred\x1b[0m plain\n"


@pytest.mark.parametrize("environ", [{"NO_COLOR": "1"}, {"NO_COLOR": "0"}, {"TERM": "dumb"}])
def test_no_colour_where_it_is_not_wanted(environ: dict[str, str]) -> None:
    assert painted(environ) == "red plain\n"


def test_an_empty_no_color_does_not_count() -> None:
    assert "\x1b" in painted({"NO_COLOR": ""})


def test_no_colour_in_a_pipe_or_when_told() -> None:
    assert painted({}, screen=io.StringIO()) == "red plain\n"
    assert painted({}, colour=False) == "red plain\n"


@pytest.mark.parametrize("environ", [{}, {"COLUMNS": "80"}])
def test_a_pipe_is_as_wide_as_it_takes(environ: dict[str, str]) -> None:
    out = io.StringIO()
    Console(out, io.StringIO(), environ).line("x" * 500)
    assert out.getvalue() == "x" * 500 + "\n"


def test_prose_is_wrapped_and_keeps_its_words() -> None:
    out = Screen()
    console = Console(out, io.StringIO(), {"COLUMNS": "30"}, colour=False)
    console.prose(Cell("lost: ", "red"), "the quick brown fox jumps over the lazy dog")
    lines = out.getvalue().splitlines()
    assert max(map(len, lines)) <= 30
    assert " ".join(out.getvalue().split()) == "lost: the quick brown fox jumps over the lazy dog"


def test_what_may_be_copied_is_never_cut() -> None:
    out = Screen()
    Console(out, io.StringIO(), {"COLUMNS": "10"}).raw("mv a-long-name another-long-name")
    assert out.getvalue() == "mv a-long-name another-long-name\n"


def test_a_table_counts_the_columns_of_wide_signs() -> None:
    out = io.StringIO()
    Console(out, io.StringIO(), {}).table(["A", "B"], [[Cell("日本"), Cell("x")], [Cell("abc"), Cell("y")]])
    assert out.getvalue().splitlines() == ["A     B", "日本  x", "abc   y"]


@given(st.text(), st.integers(0, 40))
def test_cut_fits(text: str, width: int) -> None:
    shortened = cut(text, width)
    assert columns(shortened) <= width
    assert shortened == text or columns(text) > width


@given(st.text())
def test_plain_text_can_be_printed_and_is_left_alone_if_it_could_be(text: str) -> None:
    assert plain(text).isprintable()
    assert plain(text) == text or not text.isprintable()


# ---- times -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ms", "words"),
    [
        (0, "0ms"),
        (999, "999ms"),
        (1_000, "1s"),
        (59_999, "59s"),
        (60_000, "1m"),
        (872_900, "14m 32s"),
        (3_600_000, "1h"),
        (3_661_000, "1h 1m"),
        (86_400_000, "1d"),
        (86_460_000, "1d"),
        (90_000_000, "1d 1h"),
        (40_000_000_000, "462d 23h"),
    ],
)
def test_a_span_is_told_in_its_two_largest_units(ms: int, words: str) -> None:
    assert span(ms) == words


def test_a_job_comes_or_is_late() -> None:
    assert until(2_000, 1_000) == "in 1s"
    assert until(1_000, 1_000) == "0ms late"
    assert until(1_000, 63_000) == "1m 2s late"
    assert since(5_000, 1_000) == "0ms ago"  # another machine's clock is ahead


@given(st.integers(0, 10**12))
def test_a_span_that_is_written_can_be_read(ms: int) -> None:
    read = read_span(span(ms))
    assert read <= ms
    assert ms - read <= max(999, ms // 24)


@pytest.mark.parametrize(
    ("text", "ms"),
    [("90", 90_000), ("1.5", 1_500), ("15m", 900_000), ("1h 30m", 5_400_000), ("2D", 172_800_000), ("5ms", 5)],
)
def test_spans_are_read(text: str, ms: int) -> None:
    assert read_span(text) == ms


@pytest.mark.parametrize("text", ["", "m", "5x", "-5", "1h-5m", "nan", "inf", "1e5"])
def test_what_is_no_span_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue, match="a duration must be"):
        read_span(text)


@pytest.mark.parametrize("text", ["", "tomorrow", "12:00", "2026-13-01", "0001-01-01", "9999-12-31T23:59:59-20:00"])
def test_what_is_no_instant_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue):
        read_instant(text)


def test_an_instant_or_a_span_from_now() -> None:
    assert read_either("15m", NOW_MS) == NOW_MS + 900_000
    assert read_either("2030-03-17T17:46:40.250", NOW_MS) == NOW_MS


def test_the_last_instants_of_all_can_be_shown() -> None:
    assert local(253_402_300_799_999).startswith("9999-12-31")
    assert utc(253_402_300_799_999) == "9999-12-31T23:59:59.999Z"
    assert utc(None) is None
