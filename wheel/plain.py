"""Plain: text of strangers, such as a task's name or an exception's message, made harmless for terminals and logs."""

from __future__ import annotations


def plain(text: str) -> str:
    r"""Text that cannot do anything to a terminal, nor look like another line of a log: control characters are escaped.

    >>> plain("a\x1b[2J\nb")
    'a\\x1b[2J\\nb'
    """
    if text.isprintable():
        return text
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)
