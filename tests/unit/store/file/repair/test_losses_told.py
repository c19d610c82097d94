"""What salvage cannot bring back it says, even where nothing is left of it: named after what silence would cost."""

from __future__ import annotations

from hourwheel.store.file.repair import repair

from .conftest import Made


def test_a_finished_job_of_which_nothing_is_left_is_not_reported_as_nothing_lost(made: Made) -> None:
    data = made.path.read_bytes()
    start = data.index(b'{"id":"s0"')
    made.damage(made.path, start, b"\x01" * (data.index(b"\n", start) - 1 - start))
    found = repair(made.path).salvage
    assert "s0" not in found.state.rows
    assert (found.lost, found.lost_unknown, found.lost_pending) == (True, 1, 0)


def test_a_pending_job_of_which_nothing_is_left_is_not_counted_twice(made: Made) -> None:
    data = made.path.read_bytes()
    start = data.index(b'{"id":"s9"')
    made.damage(made.path, start, b"\x01" * (data.index(b"\n", start) - 1 - start))
    found = repair(made.path).salvage
    assert (found.lost, found.lost_unknown, found.lost_pending) == (True, 0, 1)
