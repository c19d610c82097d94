"""Guess what was meant by a word that is not known."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def guess(word: str, known: Iterable[str]) -> str:
    """Return a question to append to a message, or nothing if no known word is similar.

    >>> guess("faild", ["failed", "running"]), guess("x", ["failed"])
    ("; did you mean 'failed'?", '')
    """
    by_lower = {name.lower(): name for name in known}
    near = get_close_matches(word.lower(), by_lower, n=1)
    return f"; did you mean {str(by_lower[near[0]])!r}?" if near else ""
