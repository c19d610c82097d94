"""The place of a flipped bit, from the checksum alone."""

from __future__ import annotations

from zlib import crc32

import pytest
from hourwheel.store.file.repair.bitrot import flip, flipped_bit, is_telling
from hypothesis import given
from hypothesis import strategies as st


@given(st.binary(min_size=1, max_size=3000), st.data())
def test_the_flipped_bit_of_any_text_is_found(text: bytes, data: st.DataObject) -> None:
    bit = data.draw(st.integers(0, len(text) * 8 - 1))
    assert flipped_bit(crc32(flip(text, bit)), crc32(text), len(text)) == bit


def test_every_bit_of_a_line_is_told_from_every_other() -> None:
    line = b'{"id":"a","due_ms":1000}' * 5
    found = [flipped_bit(crc32(flip(line, bit)), crc32(line), len(line)) for bit in range(len(line) * 8)]
    assert found == list(range(len(line) * 8))


def test_a_bit_of_a_megabyte_is_found() -> None:
    text = bytes(range(256)) * 4096
    assert flipped_bit(crc32(flip(text, 7_654_321)), crc32(text), len(text)) == 7_654_321


def test_two_flipped_bits_of_a_line_are_not_taken_for_one() -> None:
    line = b'{"id":"a","due_ms":1000}' * 5
    wrong = [flip(flip(line, 100), bit) for bit in range(len(line) * 8) if bit != 100]
    assert [text for text in wrong if flipped_bit(crc32(text), crc32(line), len(line)) is not None] == []


@pytest.mark.parametrize(("found", "wanted", "size"), [(7, 7, 10), (1, 2, 0)])
def test_nothing_is_found_where_nothing_was_flipped(found: int, wanted: int, size: int) -> None:
    assert flipped_bit(found, wanted, size) is None


def test_flip_changes_one_bit() -> None:
    assert flip(b"abc", 8) == b"acc"


def test_only_small_texts_tell_a_flip_from_other_damage() -> None:
    assert is_telling(100_000)
    assert not is_telling(10_000_000)
