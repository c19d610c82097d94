"""Shape: read a job that may not have been written by a store, and hold it to every rule.

What the store has written is guarded by checksums and read quickly (codec.py). Text from a damaged file or an editor is
read here: keys in any order, blanks anywhere, but each field must keep its rule (fields.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ....job import Job
from ....payload import encode
from ...codec import encode_job, loads
from ...fields import IN_TEXT, REQUIRED


def job_of(fields: Mapping[str, Any]) -> Job:
    """The job of a parsed JSON object.

    Raises:
        ValueError: a field is missing or breaks its rule.

    >>> job_of({"task": "app.remind", "id": "a", "due_ms": 1000, "payload": [[1], {}]}).args
    (1,)
    """
    for name, field in IN_TEXT.items():
        if field.default is REQUIRED and name not in fields:
            raise ValueError(f"a job must have {name!r}")
    known = {name: IN_TEXT[name].sound(value) for name, value in fields.items() if name in IN_TEXT}
    unknown = {name: value for name, value in fields.items() if name not in IN_TEXT}
    return Job(**known, extra=encode(unknown, "job") if unknown else None)


def read_job(raw: bytes) -> Job:
    """The job in a line of a file that cannot be trusted; ValueError if it is not a whole, sound job."""
    match loads(raw.decode("utf-8")):
        case dict(fields):
            return job_of(fields)
    raise ValueError("a job must be a JSON object")


def is_canonical(raw: bytes, job: Job) -> bool:
    """Whether a line is the job's text exactly as the store writes it, so that codec.py can read it."""
    return encode_job(job).encode("ascii") == raw
