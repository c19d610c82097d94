"""Bitrot: find out from the checksum alone which single bit was flipped, so that it can be flipped back.

CRC-32 is linear: of two texts of equal length the checksums differ by the checksum of their difference (both taken
without the customary inversions). If one bit was flipped, and d bits follow it, that is x^(32+d) modulo the
polynomial. The powers of x repeat only after 2^32-1 steps, so up to 512 MB each bit has a difference of its own, and
the discrete logarithm of the difference is the place of the bit. Baby steps and giant steps find it, with a table of
the square root's size: a few hundred steps for a line, 70,000 for a file of 150 MB.

Any other damage looks like a flipped bit with a chance of (bits / 2^32): one in a million for a line, but one in four
for 150 MB. So the caller needs another reason to believe the answer; ``is_telling`` says when it needs none.
"""

from __future__ import annotations

from math import isqrt
from typing import Final

_POLYNOMIAL: Final = 0xEDB88320
_ONE: Final = 0x80000000
_X_32: Final = _POLYNOMIAL
_TELLING_BITS: Final = 1 << 22


def flipped_bit(found: int, wanted: int, size: int) -> int | None:
    """The number of the flipped bit (bit n is bit n % 8, from the lowest, of byte n // 8) in a text of ``size`` bytes.

    ``found`` is the checksum of the text as it is, ``wanted`` the one that it had. None if no single bit explains both.

    >>> from zlib import crc32
    >>> flipped_bit(crc32(b"water wheem"), crc32(b"water wheel"), 11)
    80
    """
    difference = found ^ wanted
    bits = size * 8
    if difference == 0 or bits == 0:
        return None
    behind = _logarithm(difference, bits)
    return None if behind is None else bits - 1 - behind


def flip(text: bytes, bit: int) -> bytes:
    """The text with one bit flipped."""
    at = bit // 8
    return text[:at] + bytes([text[at] ^ 1 << bit % 8]) + text[at + 1 :]


def is_telling(size: int) -> bool:
    """Whether in a text of so many bytes other damage looks like a flipped bit less than once in a thousand times."""
    return size * 8 <= _TELLING_BITS


def _logarithm(power: int, most: int) -> int | None:
    """The n < most with x^(32+n) == power; None if there is none."""
    stride = isqrt(most) + 1
    steps: dict[int, int] = {}
    value = _X_32
    for n in range(stride):
        steps[value] = n
        value = _times_x(value)
    back = _ONE
    for _ in range(stride):
        back = _by_x(back)
    for giant in range(stride + 1):
        n = steps.get(power, -1)
        if n >= 0:
            n += giant * stride
            return n if n < most else None
        power = _times(power, back)
    return None


# Polynomials over the field of two elements, modulo that of the checksum; the highest bit is x^0, the lowest x^31.


def _times_x(a: int) -> int:
    return a >> 1 ^ _POLYNOMIAL if a & 1 else a >> 1


def _by_x(a: int) -> int:
    return (a ^ _POLYNOMIAL) << 1 | 1 if a & _ONE else a << 1


def _times(a: int, b: int) -> int:
    product = 0
    while a:
        if a & _ONE:
            product ^= b
        a = a << 1 & 0xFFFFFFFF
        b = _times_x(b)
    return product
