"""Which unfinished jobs have a key, and which of them holds it."""

from __future__ import annotations

from hourwheel.store.state.keys import Keys


def test_the_newest_holds_a_key_and_the_older_one_has_it_back_when_that_ends() -> None:
    keys = Keys()
    for id in ("old", "new", "old"):
        keys.add("k", id)
    assert (keys.newest("k"), keys.all_of("k")) == ("new", ["old", "new"])
    keys.discard("k", "new")
    assert (keys.newest("k"), keys.all_of("k"), list(keys.items())) == ("old", ["old"], [("k", ["old"])])
    keys.discard("k", "old")
    assert (keys.newest("k"), keys.all_of("k"), list(keys.items())) == (None, [], [])


def test_an_id_that_is_a_part_of_the_holders_takes_nothing_away() -> None:
    keys = Keys()
    keys.add("k", "job-10")
    keys.discard("k", "job-1")
    assert keys.newest("k") == "job-10"


def test_the_oldest_of_three_ends_first() -> None:
    keys = Keys()
    for id in ("a", "b", "c"):
        keys.add("k", id)
    keys.discard("k", "a")
    keys.discard("k", "unknown")
    assert keys.all_of("k") == ["b", "c"]
