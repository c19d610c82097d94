"""A disk without room: adding is refused, running jobs are settled, and work goes on by itself once there is room."""

from __future__ import annotations

import os
import random
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from hourwheel.errors import StoreFull
from hourwheel.job import Succeeded
from hourwheel.store import JsonStore
from hourwheel.store.file.store import Durability
from hourwheel.store.file.system.system import SYSTEM, System
from hourwheel.turn import effects

from tests.kit.jobs import NOW, StoppedClock, a_job, content

from .deeds import PATH
from .faults import Full

_CLAIMED = 5


class NotMounted(Exception):
    """This machine does not let us mount a file system."""


def on_a_full_model(durability: Durability, seed: int) -> str:
    """What goes wrong on a disk of random size; "" if nothing does."""
    rng = random.Random(seed)
    system = Full(1 << 30)
    store = _store(PATH, system, durability)
    before = system.used()
    system.room = before + rng.randint(0, 60_000)

    def make_room() -> None:
        system.room = 1 << 30

    return _fill(store, rng, make_room)


def on_a_full_file_system(durability: Durability, seed: int) -> str:
    """The same on a tmpfs of 768 KiB, for real.

    Raises:
        NotMounted: none can be mounted here.
    """
    with _mounted(768) as directory:
        store = _store(f"{directory}/tasks.json", SYSTEM, durability)
        ballast = f"{directory}/ballast"
        with open(ballast, "wb") as file:
            file.write(bytes(576 * 1024))
        return _fill(store, random.Random(seed), lambda: os.unlink(ballast))


def _store(path: str, system: System, durability: Durability) -> JsonStore:
    return JsonStore(path, system=system, durability=durability, allow_network_fs=True, clock=StoppedClock())


def _fill(store: JsonStore, rng: random.Random, make_room: Callable[[], None]) -> str:
    accepted = {f"early-{n}" for n in range(_CLAIMED)}
    store.add([a_job(id) for id in sorted(accepted)], NOW)
    claims = store.claim("owner", NOW, _CLAIMED)
    accepted |= _add_until_refused(store, rng)
    try:
        lost = store.settle(effects([(claim, Succeeded(returned='"done"')) for claim in claims]), NOW)
        store.cancel(sorted(accepted)[-1:], NOW)
    except StoreFull as error:
        return f"what runs cannot be settled without room: {error}"
    if lost:
        return "claims were lost for want of room"
    if content(store).keys() != accepted:
        return "what was refused is there, or what was accepted is not"
    make_room()
    store.add([a_job("later")], NOW)  # by itself: nothing was closed or opened
    store.compact()
    if content(store).keys() != accepted | {"later"} or store.check():
        return "it is not as it should be once there is room"
    store.close()
    return ""


def _add_until_refused(store: JsonStore, rng: random.Random) -> set[str]:
    accepted: set[str] = set()
    for number in range(2000):
        job = a_job(f"job-{number}", payload=f'[["{"x" * rng.randint(0, 3000)}"],{{}}]')
        try:
            store.add([job], NOW, fresh=rng.random() < 0.5)
        except StoreFull:
            return accepted
        accepted.add(job.id)
    raise AssertionError("the disk is never full")


@contextmanager
def _mounted(kib: int) -> Iterator[str]:
    directory = tempfile.mkdtemp(prefix="hourwheel-full-")
    try:
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={kib}k,mode=700", "tmpfs", directory],
            capture_output=True,
            check=False,
        )
        if done.returncode:
            raise NotMounted(done.stderr.decode().strip() or "mount failed")
        try:
            yield directory
        finally:
            subprocess.run(["umount", "-l", directory], check=False)
    finally:
        os.rmdir(directory)
