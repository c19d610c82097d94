"""Ids: canonical, sortable, distinct across threads and forks; and the one spelling of a given id."""

from __future__ import annotations

import os
import threading
import uuid

import pytest
from hourwheel import ids
from hourwheel.errors import InvalidValue
from hourwheel.ids import new_id, normal_id

NOW_MS = 1_763_700_000_123


def test_new_id_is_a_canonical_uuid_of_version_7_that_carries_the_milliseconds() -> None:
    made = new_id(NOW_MS)
    parsed = uuid.UUID(made)
    assert str(parsed) == made
    assert (parsed.version, parsed.variant) == (7, uuid.RFC_4122)
    assert parsed.int >> 80 == NOW_MS


def test_ids_of_one_millisecond_sort_in_the_order_they_were_made_also_across_batches() -> None:
    made = [new_id(NOW_MS) for _ in range(5_000)]
    if made != sorted(made):  # the counter may turn over once in 67 million ids, and then only once
        made = [new_id(NOW_MS) for _ in range(5_000)]
    assert made == sorted(made)


def test_later_ids_sort_after_earlier_ones() -> None:
    assert new_id(NOW_MS) < new_id(NOW_MS + 1) < new_id(NOW_MS + 1000)


@pytest.mark.parametrize("now_ms", [0, 1, 253_402_300_799_999, 2**48 - 1])
def test_new_id_takes_every_instant_to_the_year_9999_and_beyond(now_ms: int) -> None:
    assert uuid.UUID(new_id(now_ms)).int >> 80 == now_ms


def test_ids_made_by_many_threads_are_distinct() -> None:
    made: list[list[str]] = [[] for _ in range(8)]
    threads = [threading.Thread(target=lambda m=m: m.extend(new_id(NOW_MS) for _ in range(3_000))) for m in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({one for several in made for one in several}) == 24_000


def _ids_of_a_fork() -> list[str]:
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(write, "\n".join(new_id(NOW_MS) for _ in range(300)).encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        text = pipe.read()
    assert os.waitpid(pid, 0)[1] == 0
    return text.split("\n")


def test_forked_children_do_not_use_the_random_bits_that_their_parent_holds() -> None:
    new_id(NOW_MS)
    made = [*_ids_of_a_fork(), *_ids_of_a_fork(), *(new_id(NOW_MS) for _ in range(300))]
    assert len(set(made)) == 900
    assert len({one[24:] for one in made}) == 900


def test_a_fork_that_python_was_not_told_of_is_seen_by_the_pid(monkeypatch: pytest.MonkeyPatch) -> None:
    new_id(NOW_MS)
    held = list(ids._tails)
    monkeypatch.setattr(ids, "_pid", lambda: -1)
    made = [new_id(NOW_MS) for _ in range(len(held))]
    assert not {one[15:] for one in made} & set(held)
    ids._forget()
    monkeypatch.undo()
    ids._forget()


@pytest.mark.parametrize(
    "spelling",
    [
        "0192e4c0-a1b2-7c3d-8e4f-5a6b7c8d9e0f",
        "0192E4C0-A1B2-7C3D-8E4F-5A6B7C8D9E0F",
        "0192e4c0a1b27c3d8e4f5a6b7c8d9e0f",
        "{0192e4c0-a1b2-7c3d-8e4f-5a6b7c8d9e0f}",
        "urn:uuid:0192e4c0-a1b2-7c3d-8e4f-5a6b7c8d9e0f",
        uuid.UUID("0192e4c0-a1b2-7c3d-8e4f-5a6b7c8d9e0f"),
    ],
)
def test_a_uuid_in_any_spelling_is_one_id_celery_4300(spelling: str | uuid.UUID) -> None:
    assert normal_id(spelling) == "0192e4c0-a1b2-7c3d-8e4f-5a6b7c8d9e0f"


@pytest.mark.parametrize("name", ["a", "invoice:42", "A.b_c:d@e/f+g-h", "9" * 200, "0192e4c0-a1b2-7c3d-8e4f"])
def test_a_name_is_kept_as_it_is(name: str) -> None:
    assert normal_id(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        " a",
        "a b",
        "-a",
        ".a",
        "a\n",
        "é",
        "9" * 201,
        "{0192e4c0-a1b2-7c3d-8e4f-5a6b7c8d9e0f",
        "a\x00",
        7,
        None,
        b"a",
    ],
)
def test_anything_else_is_refused_with_the_rule(name: str) -> None:
    with pytest.raises(InvalidValue, match="task_id must be a UUID, or 1 to 200 letters"):
        normal_id(name)
