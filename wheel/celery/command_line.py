"""Read a command line that was written for Celery: ``hourwheel -A proj worker -l info -E -O fair``.

Only words that our own parser has refused come here. command_table.py says what becomes of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import Any, NamedTuple

from .command_table import COMMANDS, GLOBAL, OPTIONS, Answer, Option, Outcome, by_name


@dataclass(slots=True)
class Reading:
    """What a command line comes to here."""

    words: list[str] = field(default_factory=list)
    """The same command line, in our words."""
    told: list[str] = field(default_factory=list)
    """What was translated, and what has no effect."""
    refused: list[str] = field(default_factory=list)
    """What cannot be taken, with what to do instead."""
    near: str = ""
    """What an unknown option may have been meant to be."""


class _Piece(NamedTuple):
    """A word, or an option with its value."""

    text: str
    option: Option | None = None
    value: str = ""


def read(words: Sequence[str]) -> Reading:
    """Read a command line.

    Args:
        words: without the name of the program.

    Returns:
        the words to parse, which are the same if none of them is known here.

    >>> read(["-A", "proj", "worker", "-E", "--autoscale=10,3"]).words
    ['-A', 'proj', 'worker', '-c', '10']
    >>> read(["-A", "proj", "control", "revoke", "7"]).refused
    ["there is no command 'control': a job is cancelled by `hourwheel cancel -A proj ID`"]
    """
    pieces = list(_pieces(words))
    command = next((n for n, piece in enumerate(pieces) if _is_word(piece)), len(pieces))
    app = next((f" -A {piece.value}" for piece in pieces if piece.text in ("-A", "--app") and piece.option), "")
    if command < len(pieces) and pieces[command].text in COMMANDS:
        advice = _advice([piece.text for piece in pieces[command:] if _is_word(piece)])
        return Reading(refused=[f"there is no command {pieces[command].text!r}: {advice.format(app=app)}"])
    return _reading(pieces, app, _near(pieces, command))


def unread(command: str, environ: Mapping[str, str]) -> list[str]:
    """What to say of variables of the environment from which Celery's command line takes options, and ours does not.

    >>> unread("worker", {"CELERY_WORKER_CONCURRENCY": "4"})
    ['CELERY_WORKER_CONCURRENCY is not read here: write --concurrency=4']
    """
    told = []
    for name, option in by_name(OPTIONS[command]).items():
        variable = f"CELERY_{command}_{name.lstrip('-').replace('-', '_')}".upper()
        if name.startswith("--") and environ.get(variable):
            told.append(f"{variable} is not read here: write {name}{f'={environ[variable]}' if option.takes else ''}")
    for variable in ("CELERY_LOADER", "CELERY_CONFIG_MODULE"):
        if environ.get(variable):
            told.append(f"{variable} is not read here: write app.config_from_object(...) where the app is made")
    return told


def _reading(pieces: Iterable[_Piece], app: str, near: str) -> Reading:
    reading, translated, reasons = Reading(near=near), list[str](), dict[str, list[str]]()
    for piece in pieces:
        answer = piece.option.answer(piece.value) if piece.option else Answer(Outcome.WORKS)
        if answer.outcome is Outcome.WORKS:
            reading.words += _spelled(piece)
        elif answer.outcome is Outcome.TRANSLATED:
            translated += answer.words
            reading.told.append(_translated(piece, answer))
        elif answer.outcome is Outcome.REFUSED:
            reading.refused.append(f"{piece.text} is not taken: {answer.says.replace('{app}', app)}")
        else:
            reasons.setdefault(answer.says, []).append(piece.text)
    reading.told += [f"no effect here: {', '.join(names)} ({why})" for why, names in reasons.items()]
    end = reading.words.index("--") if "--" in reading.words else len(reading.words)
    reading.words[end:end] = translated  # the last one counts, and in Celery --autoscale counts more than -c
    return reading


def _is_word(piece: _Piece) -> bool:
    return piece.option is None and not piece.text.startswith("-")


def _advice(words: Sequence[str]) -> str:
    """What to do instead of a command, the first word, or of one of its own commands."""
    first, *others = words
    return next((COMMANDS[both] for word in others if (both := f"{first} {word}") in COMMANDS), COMMANDS[first])


def _translated(piece: _Piece, answer: Answer) -> str:
    why = f"; {answer.says}" if answer.says else ""
    return f"{piece.text} {piece.value} is taken as {' '.join(answer.words)}{why}"


def _near(pieces: Sequence[_Piece], command: int) -> str:
    """What the first unknown option may have been meant to be."""
    known = _known(pieces[command].text) if command < len(pieces) else by_name(GLOBAL)
    long = [name for name in known if name.startswith("--")]
    odd = (piece.text.partition("=")[0] for piece in pieces if piece.option is None and piece.text.startswith("--"))
    return next((f"; did you mean {near[0]!r}?" for one in odd if (near := get_close_matches(one, long, n=1))), "")


# ---- taking words apart ----------------------------------------------------------------------------------


def _known(command: str) -> Mapping[str, Option]:
    """The options by name; those that stand before a command may follow it."""
    return by_name((*GLOBAL, *OPTIONS[command])) if command in OPTIONS else {}


def _pieces(words: Sequence[str]) -> Iterator[_Piece]:
    known: Mapping[str, Any] = by_name(GLOBAL)
    waiting, before = iter(words), True
    for word in waiting:
        if word == "--":
            yield from map(_Piece, (word, *waiting))
        elif word.startswith("--"):
            yield _long(word, known, waiting)
        elif word.startswith("-") and len(word) > 1:
            yield from _short(word, known, waiting)
        else:
            yield _Piece(word)
            if before:
                before, known = False, _known(word)


def _long(word: str, known: Mapping[str, Option], waiting: Iterator[str]) -> _Piece:
    name, equals, value = word.partition("=")
    option = known.get(name)
    if option is None:
        return _Piece(word)
    if equals and not option.takes:
        return _Piece(name, replace(option, answer=lambda _: Answer(Outcome.REFUSED, "it takes no value")))
    return _valued(name, option, value if equals or not option.takes else next(waiting, None))


def _valued(name: str, option: Option, value: str | None) -> _Piece:
    """An option with its value. One whose value is missing is left to our parser, which says so."""
    return _Piece(name) if value is None else _Piece(name, option, value)


def _short(word: str, known: Mapping[str, Option], waiting: Iterator[str]) -> Iterator[_Piece]:
    """``-E``, ``-c8``, ``-c 8`` and ``-EBc8``."""
    for at in range(1, len(word)):
        option = known.get(f"-{word[at]}")
        if option is None:
            yield _Piece(f"-{word[at:]}")
            return
        if option.takes:
            yield _valued(f"-{word[at]}", option, word[at + 1 :].removeprefix("=") or next(waiting, None))
            return
        yield _Piece(f"-{word[at]}", option)


def _spelled(piece: _Piece) -> list[str]:
    if piece.option is None or not piece.option.takes:
        return [piece.text]
    return [piece.text, piece.value] if not piece.value.startswith("-") else [f"{piece.text}={piece.value}"]
