"""The journal: how records are framed, and what is made of its end, however it was left."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from hourwheel.errors import StoreCorrupt, StoreError, StoreFormatError
from hourwheel.job import Job, Released, Retried, Succeeded
from hourwheel.store import JsonStore
from hourwheel.store.codec import encode_job
from hourwheel.store.file.epoch import Epoch
from hourwheel.store.file.format import journal, lines
from hourwheel.store.file.format.journal import Journal
from hourwheel.store.file.format.lines import (
    SECTOR,
    classify,
    frame,
    frame_add,
    frame_change,
    is_sound,
    split,
)
from hourwheel.turn import effects

from tests.kit.jobs import NOW, a_job, content, epoch_of, some_jobs
from tests.kit.memory_system import DIRECTORY, MemorySystem
from tests.kit.remains import Refusal, opened, what_is_left

NAME = "tasks.json.journal.1"
Content = dict[str, Job]


# ---- framing ---------------------------------------------------------------------------------------------


def test_a_line_is_checksum_mark_length_and_text() -> None:
    assert frame('{"seq":1}') == b'3d8f6660 000009 {"seq":1}\n'
    assert frame('{"seq":1}', more=True)[8:9] == b"+"


def test_a_record_that_adds_a_job_is_framed_in_one_step_as_in_two() -> None:
    text = encode_job(a_job("a", key="k"))
    seven, eight, nine = (f'{{"seq":{number},"op":"add","job":{text}}}' for number in (7, 8, 9))
    assert frame_add(7, text.encode()) == frame(seven)
    assert frame_change(['{"seq":7}'], 8, [text.encode(), text.encode()]) == frame_change(['{"seq":7}', eight, nine])


@pytest.mark.parametrize("count", [1, 2, 5])
def test_the_lines_of_one_change_are_one_batch(count: int) -> None:
    texts = [f'{{"seq":{number}}}' for number in range(count)]
    data = frame_change(texts)
    [batch], end = split(data + b"\n\n", 1000)
    assert batch.texts == [text.encode() for text in texts]
    assert batch.end == end == 1000 + len(data)


def test_a_change_without_its_last_line_is_no_batch() -> None:
    lines = frame_change(['{"seq":1}', '{"seq":2}', '{"seq":3}']).splitlines(keepends=True)
    before = frame('{"seq":0}')
    assert split(before + lines[0] + lines[1] + b"\n", 0)[1] == len(before)


def test_a_record_too_long_for_a_line_is_refused_before_it_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "_LONGEST", 300)
    store = _store(system := MemorySystem())
    with pytest.raises(StoreError, match="at most 300 bytes"):
        store.add([a_job("a", payload=f'[["{"x" * 300}"],{{}}]')], NOW)
    with pytest.raises(StoreError, match="at most 300 bytes"):
        store.add([a_job("b", payload=f'[["{"x" * 300}"],{{}}]')], NOW, fresh=True)
    store.add([a_job("c")], NOW)
    assert set(_expect(what_is_left(system.files()))) == {"c"}


def test_a_change_of_many_items_is_written_in_lines_that_are_not_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "_LONGEST", 40_000)
    store = _store(system := MemorySystem())
    store.add(some_jobs(200), NOW, fresh=True)
    claims = store.claim("owner", NOW, 200)
    result = f'"{"r" * 1000}"'
    assert store.settle(effects([(claim, Succeeded(returned=result)) for claim in claims]), NOW) == []
    left = _expect(what_is_left(system.files()))
    assert left == content(store)
    assert len({job.token for job in left.values()}) == 200


# ---- a journal of many records ---------------------------------------------------------------------------


class Story:
    """A journal with records of every kind, and what the store held after each change."""

    def __init__(self, wide: bool = False) -> None:
        self.system = MemorySystem()
        self.store = _store(self.system)
        self.ends = [self._end()]
        self.states: list[Content] = [{}]
        self._tell("x" * 700 if wide else "x")
        self.files = self.system.files()
        self.data = self.files[NAME][: self.ends[-1]]

    def _tell(self, text: str) -> None:
        store = self.store
        payload = f'[["{text}"],{{}}]'
        self._after(store.add, [a_job("a", payload=payload)], NOW)
        self._after(store.add, [a_job("b", key="k", payload=payload)], NOW, fresh=False)
        self._after(store.add, some_jobs(3, "batch"), NOW, fresh=True)
        claims = store.claim("owner", NOW, 3)
        self._note()
        self._after(store.settle, effects([(claims[0], Succeeded(returned=payload)), (claims[1], Released())]), NOW)
        self._after(store.add, [a_job("c", key="k")], NOW, on_conflict="replace")
        self._after(store.cancel, ["batch-00002"], NOW, reason="on purpose")
        self._after(store.reschedule, ["batch-00001"], NOW + 5000, NOW)
        self._after(store.settle, effects([(claims[2], Retried(due_ms=NOW + 7000))]), NOW)
        self._after(store.add, [a_job("last", payload=payload)], NOW, fresh=True)

    def _after(self, change: Any, *args: Any, **options: Any) -> None:
        change(*args, **options)
        self._note()

    def _note(self) -> None:
        self.ends.append(self._end())
        self.states.append(content(self.store))

    def _end(self) -> int:
        return epoch_of(self.store).journal.end

    def with_journal(self, data: bytes, size: int | None = None) -> dict[str, bytes]:
        blank = b"\n" * ((len(data) + 2000 if size is None else size) - len(data))
        return {**self.files, NAME: data + blank}

    def state_at(self, cut: int) -> Content:
        """What the store held after the last change that ends at ``cut`` or before."""
        return self.states[max(place for place, end in enumerate(self.ends) if end <= max(cut, self.ends[0]))]


@pytest.fixture(scope="module")
def story() -> Story:
    return Story()


@pytest.fixture(scope="module")
def wide_story() -> Story:
    return Story(wide=True)


def test_the_story_is_read_back_as_it_was(story: Story, wide_story: Story) -> None:
    assert _expect(what_is_left(story.files)) == story.states[-1]
    assert _expect(what_is_left(wide_story.files)) == wide_story.states[-1]


@pytest.mark.parametrize("rest", [b"\n" * 3000, b"\0" * 3000, b""], ids=["blank", "zeros", "cut short"])
def test_cut_at_any_byte_of_the_last_records_what_was_before_is_there_and_nothing_else(
    story: Story, rest: bytes
) -> None:
    for cut in range(story.ends[-4], story.ends[-1] + 1):
        left = what_is_left({**story.files, NAME: story.data[:cut] + rest})
        assert left == story.state_at(cut + 1), f"cut at {cut}"  # what lacks nothing but its line feed is whole


def test_what_is_left_of_a_cut_record_is_wiped_so_that_new_ones_do_not_meet_it(story: Story) -> None:
    for cut in range(story.ends[-2], story.ends[-1] - 1, 7):
        system = MemorySystem(story.with_journal(story.data[:cut]))
        store = _store(system)
        store.add([a_job("new")], NOW)
        assert what_is_left(system.files()) == content(store) == {**story.state_at(cut), "new": a_job("new")}


def test_the_verdict_on_a_cut_record_is_torn_and_on_an_end_clean(story: Story) -> None:
    start = story.ends[-2]
    for cut in range(start + 1, story.ends[-1] - 1):
        assert classify(story.data[start:cut] + b"\n" * 600, start)[0] == "torn"
    assert classify(b"\n\0\n" * 600, start) == ("clean", "")


# ---- rot -------------------------------------------------------------------------------------------------


def _flips(data: bytes, bits: Iterator[int] | range) -> Iterator[tuple[int, bytes]]:
    for bit in bits:
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        yield bit, bytes(flipped)


def _is_told_or_harmless(story: Story, files: dict[str, bytes], bit: int) -> None:
    left = what_is_left(files)
    if isinstance(left, (StoreCorrupt, StoreFormatError)):
        assert NAME in str(left)
        if isinstance(left, StoreCorrupt):
            assert left.path == f"{DIRECTORY}/{NAME}"
            assert left.offset <= bit // 8
            assert left.offset in (0, *story.ends)
    else:
        assert left == story.states[-1], f"bit {bit} of byte {bit // 8} changed the state and nobody was told"


def test_no_flipped_bit_of_a_journal_changes_the_state_unnoticed(story: Story) -> None:
    rng = random.Random(20261121)
    bits = sorted(rng.sample(range(len(story.data) * 8), 1500))
    around_ends = [end * 8 + bit for end in story.ends for bit in range(-16, 8)]
    for bit, flipped in _flips(story.data + b"\n" * 2000, iter([*bits, *around_ends])):
        _is_told_or_harmless(story, {**story.files, NAME: flipped}, bit)


def test_a_flipped_bit_in_the_room_ahead_is_no_damage_to_what_is_there(story: Story) -> None:
    for distance in (0, 1, 600, 1500):
        data = bytearray(story.data + b"\n" * 2000)
        data[len(story.data) + distance] ^= 4
        left = what_is_left({**story.files, NAME: bytes(data)})
        assert isinstance(left, StoreCorrupt) or left == story.states[-1]


@pytest.mark.parametrize("kind", ["taken out", "doubled", "swapped", "of another store"])
def test_whole_records_that_are_missing_or_misplaced_are_refused(story: Story, kind: str) -> None:
    lines = story.data.splitlines(keepends=True)
    for at in range(1, len(lines) - 2):
        changed = list(lines)
        match kind:
            case "taken out":
                del changed[at]
            case "doubled":
                changed.insert(at, changed[at])
            case "swapped":
                changed[at], changed[at + 1] = changed[at + 1], changed[at]
            case "of another store":
                changed[0] = frame('{"journal":"hourwheel","version":1,"store_id":"other","epoch":1,"after":0}')
        left = what_is_left(story.with_journal(b"".join(changed)))
        assert isinstance(left, StoreCorrupt), f"line {at} {kind}"
        assert left.path.endswith(NAME)


def test_records_blanked_out_up_to_the_end_of_a_sector_cost_what_is_behind_them_which_is_kept(story: Story) -> None:
    """That is what a power loss leaves of records that were never synced, so it cannot be refused."""
    lines = story.data.splitlines(keepends=True)
    for at in range(1, len(lines) - 2):
        start, stop = (sum(map(len, lines[:place])) for place in (at, at + 1))
        data = story.data[:start] + b"\n" * (stop - start) + story.data[stop:]
        system = MemorySystem(story.with_journal(data))
        if stop // SECTOR == start // SECTOR and stop % SECTOR:
            assert isinstance(what_is_left(system.files()), StoreCorrupt), f"line {at}"
        else:
            assert content(_store(system)) in story.states
            [dropped] = [data for name, data in system.files().items() if ".dropped." in name]
            assert story.data[stop:].rstrip() in dropped


def test_a_journal_of_a_newer_version_is_refused_as_such(story: Story) -> None:
    header = story.data.split(b"\n")[0][16:].replace(b'"version":1', b'"version":2').decode()
    files = story.with_journal(frame(header) + story.data[story.ends[0] :])
    with pytest.raises(StoreFormatError, match="newer Hourwheel"):
        opened(files)


def test_a_record_that_does_not_follow_from_those_before_it_is_refused_with_its_number(story: Story) -> None:
    number = epoch_of(story.store).journal.seq + 1
    nonsense = frame(f'{{"seq":{number},"op":"claim","owner":"x","now_ms":1,"token":9,"ids":["nobody"]}}')
    left = what_is_left(story.with_journal(story.data + nonsense))
    assert isinstance(left, StoreCorrupt)
    assert left.offset == story.ends[-1]
    assert f"record {number}" in str(left)


@pytest.mark.parametrize(
    "text",
    [
        '{"seq":SEQ,"op":"dance"}',
        '{"seq":SEQ}',
        "[]",
        '"text"',
        '{"seq":SEQ,"op":"settle","now_ms":1,"items":[["a"]]}',
        '{"seq":SEQ,"op":"add","job":{}}',
        '{"seq":SEQ,"op":"add","job":{"id":"a","due_ms":"x","task":"t"}}',
        '{"seq":SEQ,"op":"move","id":"a","due_ms":1,"more":1}',
        '{"seq":SEQ,"op":"cancel","now_ms":1,"ids":["a"],"ids":["b"]}',
        '{"seq":NaN}',
        '{"seq":' + "[" * 100_000,
    ],
)
def test_a_line_with_a_good_checksum_and_no_record_in_it_is_refused(story: Story, text: str) -> None:
    line = frame(text.replace("SEQ", str(epoch_of(story.store).journal.seq + 1)))
    assert isinstance(what_is_left(story.with_journal(story.data + line)), StoreCorrupt)


# ---- sectors that a power loss left out ------------------------------------------------------------------


def _holes(story: Story, synced: int, rng: random.Random, count: int, fill: bytes) -> Iterator[tuple[set[int], bytes]]:
    """The journal without some of the sectors that were written after the sync at ``synced``."""
    whole = story.data + b"\n" * (-len(story.data) % SECTOR) + b"\n" * SECTOR
    before = story.data[:synced] + fill * (len(whole) - synced)
    sectors = range(synced // SECTOR, (len(story.data) - 1) // SECTOR + 1)
    for _ in range(count):
        out = {sector for sector in sectors if rng.random() < rng.choice([0.2, 0.5, 0.8])}
        data = bytearray(whole)
        for sector in out:
            data[sector * SECTOR : (sector + 1) * SECTOR] = before[sector * SECTOR : (sector + 1) * SECTOR]
        yield out, bytes(data)


@pytest.mark.parametrize("fill", [b"\n", b"\0"], ids=["blank", "zeros"])
def test_sectors_left_out_by_a_power_loss_leave_a_prefix_of_the_history_never_less_than_was_synced(
    wide_story: Story, fill: bytes
) -> None:
    story, rng = wide_story, random.Random(7)
    for place, synced in enumerate(story.ends[:-1]):
        for out, data in _holes(story, synced, rng, 25, fill):
            left = what_is_left({**story.files, NAME: data})
            assert left in story.states[place:], f"synced to {synced}, without the sectors {sorted(out)}"


def test_every_subset_of_the_sectors_of_a_batch_leaves_all_of_the_batch_or_nothing() -> None:
    system = MemorySystem()
    store = _store(system)
    store.add([a_job("before")], NOW)
    synced = epoch_of(store).journal.end
    store.add([a_job(f"batch-{n}", payload=f'[["{"y" * 400}"],{{}}]') for n in range(6)], NOW, fresh=True)
    end = epoch_of(store).journal.end
    files = system.files()
    first, last = synced // SECTOR, (end - 1) // SECTOR
    assert 5 <= last - first <= 10
    for subset in range(1 << (last - first + 1)):
        data = bytearray(files[NAME][: (last + 2) * SECTOR])
        for number in range(last - first + 1):
            if subset >> number & 1:
                start = max(synced, (first + number) * SECTOR)
                stop = (first + number + 1) * SECTOR
                data[start:stop] = b"\n" * (stop - start)
        left = set(_expect(what_is_left({**files, NAME: bytes(data)})))
        complete = {"before", *(f"batch-{n}" for n in range(6))}
        assert left == (complete if subset == 0 else {"before"}), f"subset {subset:b}"


# ---- the file --------------------------------------------------------------------------------------------


def test_the_journal_grows_in_blank_pieces_and_leaves_room_to_settle(monkeypatch: pytest.MonkeyPatch) -> None:
    system = MemorySystem()
    own = Journal.create(f"{DIRECTORY}/j", system, store_id="s", epoch=1, seq=0)
    own.append(b"x" * 900_000 + b"\n", 1, reserve=True)
    assert own.size - own.end >= journal.RESERVE
    assert system.files()["j"][own.end :].strip(b"\n") == b""
    own.append(b"y" * 100_000 + b"\n", 1, reserve=False)
    assert own.size >= own.end


def test_two_processes_that_grow_a_journal_in_turn_do_not_blank_what_the_other_wrote() -> None:
    system = MemorySystem()
    here = _store(system)
    there = _store(system)
    big = f'[["{"x" * 60_000}"],{{}}]'
    for number in range(60):
        (here, there)[number % 2].add([a_job(f"job-{number:02}", payload=big)], NOW)
    assert set(content(here)) == set(content(there)) == set(_expect(what_is_left(system.files())))
    assert len(content(here)) == 60


def test_a_long_change_is_read_whole_however_little_is_read_at_a_time() -> None:
    system = MemorySystem()
    store = _store(system)
    store.add([a_job(f"job-{n}", payload=f'[["{"x" * 9_000}"],{{}}]') for n in range(40)], NOW, fresh=True)
    fresh = Epoch.open(store._keeper.newest.place, system)
    fresh.journal.end, fresh.journal.seq = epoch_of(store).snapshot.header.length and _header_length(system), 0
    [batch] = fresh.journal.read(most=1000)
    assert len(batch.texts) == 40


def test_lines_that_follow_one_another_are_sound(story: Story) -> None:
    for start, end in pairwise(story.ends):
        assert all(is_sound(line) for line in story.data[start:end].splitlines())


def _header_length(system: MemorySystem) -> int:
    return system.files()[NAME].index(b"\n") + 1


def _store(system: MemorySystem) -> JsonStore:
    return JsonStore(f"{DIRECTORY}/tasks.json", system=system, allow_network_fs=True)


def _expect(left: Content | Refusal) -> Content:
    assert isinstance(left, dict), left
    return left
