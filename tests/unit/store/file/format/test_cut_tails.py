"""What a killed writer, a power loss or a bad disk can leave of the files: cut at every byte, holed, flipped."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hourwheel.errors import StoreCorrupt, StoreFormatError
from hourwheel.job import Job, Retried, State, Succeeded
from hourwheel.store import JsonStore
from hourwheel.turn import effects

from tests.kit.jobs import epoch_of

pytestmark = pytest.mark.usefixtures("not_folded")

JOBS = 6
Seen = dict[str, tuple[State, int, int]]


def seen_in(store: JsonStore) -> Seen:
    assert store.check() == []
    return {job.id: (job.state, job.due_ms, job.attempt) for job in store.scan(limit=100)}


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Seen], list[int]]:
    """A store, what it held after each change, and where in the journal each change ended."""
    home = tmp_path_factory.mktemp("history")
    store = JsonStore(home / "tasks.json", durability="os")
    states, ends = [seen_in(store)], [epoch_of(store).journal.end]

    def note() -> None:
        states.append(seen_in(store))
        ends.append(epoch_of(store).journal.end)

    for number in range(JOBS):
        store.add(
            [
                Job(
                    id=f"job-{number}",
                    task="t",
                    due_ms=number,
                    payload=f'[["{"x" * 90 * number}"],{{}}]',
                    result_ttl_ms=1 << 50,
                )
            ],
            0,
        )
        note()
    claims = store.claim("me", JOBS, 2)
    note()
    store.settle(effects([(claims[0], Succeeded()), (claims[1], Retried(due_ms=99))]), 7)
    note()
    store.add(
        [Job(id="last-a", task="t", due_ms=50), Job(id="last-b", task="t", due_ms=51)], 0
    )  # one change, two lines
    note()
    epoch_of(store).journal.sync()
    return home, states, ends


def copy_of(home: Path, into: Path) -> tuple[Path, Path]:
    shutil.rmtree(into, ignore_errors=True)
    into.mkdir()
    for name in ("tasks.json", "tasks.json.journal.1"):
        shutil.copy(home / name, into / name)
    (into / "tasks.json.lock").touch()
    return into / "tasks.json", into / "tasks.json.journal.1"


def reopened(path: Path) -> Seen:
    store = JsonStore(path, durability="os")
    try:
        return seen_in(store)
    finally:
        store.close()


@pytest.mark.parametrize("padded", [False, True], ids=["file ends there", "blank from there"])
def test_cut_at_every_byte_of_the_last_changes_what_came_before_is_whole(
    history: tuple[Path, list[Seen], list[int]], tmp_path: Path, padded: bool
) -> None:
    home, states, ends = history
    data = (home / "tasks.json.journal.1").read_bytes()
    cuts = 0
    for cut in range(ends[-4], ends[-1] + 1):
        path, journal = copy_of(home, tmp_path / "cut")
        journal.write_bytes(data[:cut] + (b"\n" * (len(data) - cut) if padded else b""))
        whole = max(number for number, end in enumerate(ends) if end <= cut or end - 1 == cut)  # all but the line feed
        assert reopened(path) == states[whole], cut
        cuts += 1
    assert cuts > 400


def test_a_store_goes_on_after_a_cut_tail(history: tuple[Path, list[Seen], list[int]], tmp_path: Path) -> None:
    home, states, ends = history
    path, journal = copy_of(home, tmp_path / "cut")
    data = journal.read_bytes()
    journal.write_bytes(data[: ends[-1] - 40] + b"\n" * 4096)
    store = JsonStore(path, durability="os")
    store.add([Job(id="after", task="t", due_ms=1)], 0)
    store.close()
    assert reopened(path) == {**states[-2], "after": (State.SCHEDULED, 1, 0)}


def holes(start: int, end: int, most: int) -> Iterator[list[int]]:
    """Subsets of the sectors that a write touched, the ones a power loss has not written."""
    sectors = list(range(start // 512, -(-end // 512)))
    choose = random.Random(7)
    for _ in range(most):
        yield [sector for sector in sectors if choose.random() < 0.5]


@pytest.mark.parametrize("filler", [b"\n", b"\0"], ids=["blank", "zero"])
def test_sectors_of_unsynced_changes_that_were_never_written_leave_a_prefix(
    history: tuple[Path, list[Seen], list[int]], tmp_path: Path, filler: bytes
) -> None:
    home, states, ends = history
    data = (home / "tasks.json.journal.1").read_bytes()
    synced = ends[2]
    for missing in holes(synced, ends[-1], 60):
        path, journal = copy_of(home, tmp_path / "holes")
        image = bytearray(data)
        for sector in missing:
            start, stop = max(sector * 512, synced), min((sector + 1) * 512, len(image))
            image[start:stop] = filler * (stop - start)
        journal.write_bytes(image)
        found = reopened(path)
        assert found in states[2:], missing
        assert reopened(path) == found, "what was cut came back"


def flips(length: int, every: int) -> Iterator[tuple[int, int]]:
    choose = random.Random(11)
    for at in range(0, length, every):
        yield at, choose.randrange(8)


def check_flips(history: tuple[Path, list[Seen], list[int]], into: Path, name: str, every: int) -> int:
    home, states, ends = history
    data = (home / name).read_bytes()
    length = ends[-1] + 600 if "journal" in name else len(data)
    refused = 0
    for at, bit in flips(length, every):
        path, _ = copy_of(home, into)
        image = bytearray(data)
        image[at] ^= 1 << bit
        (into / name).write_bytes(image)
        try:
            assert reopened(path) == states[-1], f"silently different after a flip of bit {bit} at {at}"
        except (StoreCorrupt, StoreFormatError):
            refused += 1
    return refused


@pytest.mark.parametrize("name", ["tasks.json", "tasks.json.journal.1"])
def test_a_flipped_bit_is_refused_or_makes_no_difference(
    history: tuple[Path, list[Seen], list[int]], tmp_path: Path, name: str
) -> None:
    assert check_flips(history, tmp_path / "flips", name, every=3) > 50


def test_damage_says_where_and_changes_nothing(history: tuple[Path, list[Seen], list[int]], tmp_path: Path) -> None:
    home, _, ends = history
    path, journal = copy_of(home, tmp_path / "damage")
    image = bytearray(journal.read_bytes())
    image[ends[3] + 40] ^= 4
    journal.write_bytes(image)
    with pytest.raises(StoreCorrupt, match=r"damaged at byte \d+") as caught:
        JsonStore(path)
    assert (caught.value.path, caught.value.offset) == (str(journal), ends[3])
    assert journal.read_bytes() == bytes(image)
