"""Owners' names: what is refused, and that no two share a life sign."""

from __future__ import annotations

from pathlib import Path

import pytest
from hourwheel.errors import InvalidValue
from hourwheel.job import Job
from hourwheel.store import JsonStore, MemoryStore


def test_owners_whose_names_are_alike_do_not_share_a_life_sign(tmp_path: Path) -> None:
    store, other = (
        JsonStore(tmp_path / "tasks.json", durability="os"),
        JsonStore(tmp_path / "tasks.json", durability="os"),
    )
    store.add([Job(id="a", task="t", due_ms=0)], 0)
    assert len(store.claim("a/b", 1, 1)) == 1
    assert other.claim("a_b", 2, 1) == []
    store.close()
    assert [claim.job.crashes for claim in other.claim("a_b", 3, 1)] == [1]
    other.close()


@pytest.mark.parametrize("owner", ["", "x" * 151])
def test_a_name_that_cannot_be_kept_is_refused_before_anything_is_claimed(tmp_path: Path, owner: str) -> None:
    for store in (MemoryStore(), JsonStore(tmp_path / "tasks.json", durability="os")):
        store.add([Job(id="a", task="t", due_ms=0)], 0)
        with pytest.raises(InvalidValue, match="owner must be 1 to 150 characters"):
            store.claim(owner, 1, 1)
        assert store.stats(1).scheduled == 1
        store.close()


def test_the_sign_of_a_program_that_ended_without_closing_the_store_goes_when_it_is_next_opened(tmp_path: Path) -> None:
    path = tmp_path / "tasks.json"
    store = JsonStore(path, durability="os")
    store.add([Job(id="a", task="t", due_ms=0)], 0)
    store.claim("alive", 1, 1)
    (tmp_path / "tasks.json.owner.gone").touch()
    JsonStore(path, durability="os").close()
    assert sorted(found.name for found in tmp_path.glob("*.owner.*")) == ["tasks.json.owner.alive"]
    store.close()
