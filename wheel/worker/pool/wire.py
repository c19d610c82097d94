"""The protocol between a pool and its worker processes: lines of JSON over a socket pair.

Not pickle, so that nothing that a worker process sends can make the scheduler execute code.
"""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Callable
from enum import Enum
from functools import cache
from typing import Any, Final, get_args, get_origin, get_type_hints

from ...job import Job, Outcome

COUNTER: Final = struct.Struct("Q")
"""The number of jobs that a worker process has started, in shared memory."""
_CHUNK: Final = 1 << 16
_PASSED_ON: Final = (str, int, float, bool, type(None))


class Channel:
    """One end of the connection. Any thread may send; only one thread may receive."""

    def __init__(self, end: socket.socket) -> None:
        self._socket = end
        self._sending = threading.Lock()
        self._begun = bytearray()
        self._whole: list[bytes] = []

    def fileno(self) -> int:
        """The descriptor, for polling if nothing is ``at_hand``."""
        return self._socket.fileno()

    @property
    def at_hand(self) -> bool:
        """Whether a message has been read but not received yet."""
        return bool(self._whole)

    def send(self, message: Any) -> None:
        """Send a message.

        Raises:
            OSError: the other end is closed.
        """
        data = json.dumps(message, separators=(",", ":")).encode() + b"\n"
        with self._sending:
            self._socket.sendall(data)

    def receive(self) -> Any:
        """Wait for the next message and return it; None if the other end is closed."""
        while not self._whole:
            if not self.read():
                return None
        return json.loads(self._whole.pop(0))

    def read(self) -> bool:
        """Read at least one byte. Return False if the other end is closed."""
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
        """Close the connection for sending."""
        try:
            self._socket.shutdown(socket.SHUT_WR)
        except OSError:
            return  # the other end is closed

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


# ---- jobs and outcomes -----------------------------------------------------------------------------------

_KINDS: Final[dict[str, type[Any]]] = {kind.__name__: kind for kind in get_args(Outcome)}


def packed_job(job: Job) -> list[Any]:
    """Return a job as a JSON list."""
    return list(job)


def job_of(fields: list[Any]) -> Job:
    """Return the job that packed_job() packed."""
    job: Job = _made(Job, fields)
    return job


def packed_outcome(outcome: Outcome) -> list[Any]:
    """Return an outcome as a JSON list."""
    kind = type(outcome)
    return [kind.__name__, *(getattr(outcome, name) for name in kind.__dataclass_fields__)]


def outcome_of(packed: list[Any]) -> Outcome:
    """Return the outcome that packed_outcome() packed."""
    outcome: Outcome = _made(_KINDS[packed[0]], packed[1:])
    return outcome


def _made(kind: Any, values: list[Any]) -> Any:
    """Make a named tuple or an outcome from its fields as JSON values."""
    made = [value if shape is None else shape(value) for shape, value in zip(_shapes(kind), values, strict=True)]
    if hasattr(kind, "_make"):
        return kind._make(made)
    return kind(**dict(zip(kind.__dataclass_fields__, made, strict=True)))


_Shape = Callable[[Any], Any] | None


@cache
def _shapes(kind: Any) -> list[_Shape]:
    """The functions that turn JSON values into the fields of a class; None for a value that stays as it is."""
    names: Any = getattr(kind, "_fields", None) or kind.__dataclass_fields__
    hints = get_type_hints(kind)
    return [_shape(hints[name]) for name in names]


def _shape(hint: Any) -> _Shape:
    for kind in (hint, *get_args(hint)):
        if get_origin(kind) is tuple:
            return tuple
        if isinstance(kind, type) and issubclass(kind, Enum):
            return kind
        if isinstance(kind, type) and hasattr(kind, "_make"):
            return lambda value: None if value is None else _made(kind, value)
    return None


# ---- log records -----------------------------------------------------------------------------------------


def packed_record(record: Any) -> dict[str, Any]:
    """Return a log record as a JSON dict: the formatted message, the traceback as text, and other plain values."""
    found = {name: value for name, value in vars(record).items() if isinstance(value, _PASSED_ON)}
    return found | {"msg": record.getMessage(), "args": None}
