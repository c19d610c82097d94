"""What a harmed store comes to when it is opened by the real opening code, over files that are bytes in a dict."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

from hourwheel.errors import HourwheelError, StoreCorrupt, StoreFormatError
from hourwheel.store.file.creation import open_or_create
from hourwheel.store.state.invariants import violations
from hourwheel.store.state.views import jobs

from tests.kit.memory_system import MemorySystem

from .specimen import PLACE, Content

_MANY = 512


class Outcome(NamedTuple):
    """The content, or the refusal, or what should never come of it; and the files afterwards."""

    content: Content | None = None
    refusal: StoreCorrupt | StoreFormatError | None = None
    fault: str = ""
    files: Mapping[str, bytes] = {}


def outcome(files: Mapping[str, bytes], *, keep_files: bool = False) -> Outcome:
    """Open a store with these files as Keeper does, and look at all of it."""
    disk = MemorySystem(files)
    try:
        epoch = open_or_create(PLACE, disk)
        held = {job.id: job for job in jobs(epoch.state)}
        violated = violations(epoch.state)
        epoch.close()
    except (StoreCorrupt, StoreFormatError) as refusal:
        vague = "" if str(refusal).startswith(PLACE.path) else f"the refusal does not name the file: {refusal}"
        fault = vague if disk.files() == dict(files) else "the refused files were changed"
        return Outcome(refusal=refusal, fault=fault)
    except HourwheelError as error:
        return Outcome(fault=f"refused as {error!r}")
    except Exception as error:
        return Outcome(fault=f"an error that is not ours: {error!r}")
    fault = f"check() says {violated[:3]}" if violated else ""
    return Outcome(content=held, fault=fault, files=disk.files() if keep_files else {})


@contextmanager
def collecting_rarely() -> Iterator[None]:
    """Each opening makes thousands of containers; searching them all for cycles takes longer than the opening."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def collect_now_and_then(number: int) -> None:
    """To be called in a loop within ``collecting_rarely``."""
    if number % _MANY == 0:
        gc.collect()
