"""What a pool and its worker processes say to each other: lines of JSON over a socket pair.

Not pickle: nothing that a worker process sends can make the scheduler run code.
"""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Callable
from enum import Enum
from typing import Any, Final, get_args, get_origin, get_type_hints

from ...job import Job, Outcome

COUNTER: Final = struct.Struct("Q")
"""In memory that both share: how many jobs the worker process has begun."""
_CHUNK: Final = 1 << 16
_PASSED_ON: Final = (str, int, float, bool, type(None))


class Channel:
    """One end. Any thread may send; one thread receives."""

    def __init__(self, end: socket.socket) -> None:
        self._socket = end
        self._sending = threading.Lock()
        self._begun = bytearray()
        self._whole: list[bytes] = []

    def fileno(self) -> int:
        """The descriptor, to be polled when nothing is ``at_hand``."""
        return self._socket.fileno()

    @property
    def at_hand(self) -> bool:
        """Whether a message has been read that was not received yet."""
        return bool(self._whole)

    def send(self, message: Any) -> None:
        """Send a message.

        Raises:
            OSError: the other side has gone.
        """
        data = json.dumps(message, separators=(",", ":")).encode() + b"\n"
        with self._sending:
            self._socket.sendall(data)

    def receive(self) -> Any:
        """The next message, waited for; None when the other side has gone."""
        while not self._whole:
            if not self.read():
                return None
        return json.loads(self._whole.pop(0))

    def read(self) -> bool:
        """Read what there is, at least a byte; False when the other side has gone."""
        try:
            chunk = self._socket.recv(_CHUNK)
        except ConnectionError:
            return False
        if not chunk:
            return False
        self._begun += chunk
        if b"\n" in chunk:
            *whole, rest = bytes(self._begun).split(b"\n")
            self._whole += whole
            self._begun = bytearray(rest)
        return True

    def end(self) -> None:
        """Say that nothing more will be sent."""
        try:
            self._socket.shutdown(socket.SHUT_WR)
        except OSError:
            return  # the other side has gone

    def close(self) -> None:
        """Give the socket back."""
        self._socket.close()


# ---- jobs and outcomes -----------------------------------------------------------------------------------

_KINDS: Final[dict[str, type[Any]]] = {kind.__name__: kind for kind in get_args(Outcome)}


def packed_job(job: Job) -> list[Any]:
    """A job as JSON has it."""
    return list(job)


def job_of(fields: list[Any]) -> Job:
    """The job of ``packed_job``."""
    shapes = _shapes(Job)
    return Job._make(value if shape is None else shape(value) for shape, value in zip(shapes, fields, strict=True))


def packed_outcome(outcome: Outcome) -> list[Any]:
    """An outcome as JSON has it."""
    kind = type(outcome)
    return [kind.__name__, *(getattr(outcome, name) for name in kind.__dataclass_fields__)]


def outcome_of(packed: list[Any]) -> Outcome:
    """The outcome of ``packed_outcome``."""
    kind = _KINDS[packed[0]]
    names, shapes = kind.__dataclass_fields__, _shapes(kind)
    found = zip(names, shapes, packed[1:], strict=True)
    made: Outcome = kind(**{name: value if shape is None else shape(value) for name, shape, value in found})
    return made


_Shape = Callable[[Any], Any] | None
_known: Final[dict[Any, list[_Shape]]] = {}


def _shapes(kind: Any) -> list[_Shape]:
    """For each field of a class what makes its value of what JSON has of it; None for the value itself."""
    shapes = _known.get(kind)
    if shapes is None:
        names: Any = getattr(kind, "_fields", None) or kind.__dataclass_fields__
        hints = get_type_hints(kind)
        shapes = _known[kind] = [_shape(hints[name]) for name in names]
    return shapes


def _shape(hint: Any) -> _Shape:
    for kind in (hint, *get_args(hint)):
        if get_origin(kind) is tuple:
            return tuple
        if isinstance(kind, type) and issubclass(kind, Enum):
            return kind
        if isinstance(kind, type) and hasattr(kind, "_make"):
            return lambda value: None if value is None else _named(kind, value)
    return None


def _named(kind: Any, values: list[Any]) -> Any:
    shapes = _shapes(kind)
    return kind._make(value if shape is None else shape(value) for shape, value in zip(shapes, values, strict=True))


# ---- log records -----------------------------------------------------------------------------------------


def packed_record(record: Any) -> dict[str, Any]:
    """A record of logging as JSON has it: its text made, its traceback as text, and what else is plain."""
    told = {name: value for name, value in vars(record).items() if isinstance(value, _PASSED_ON)}
    return told | {"msg": record.getMessage(), "args": None}
