"""Claims that lapse unless they are renewed: a slow job is run once while its process lives."""

from __future__ import annotations

from typing import Any

import pytest
from hourwheel.job import Claim, State
from hourwheel.store import MemoryStore

from tests.kit.ticking import World


class Leased(MemoryStore):
    """A store whose claims hold for a second."""

    def claim(self, owner: str, now_ms: int, limit: int, **options: Any) -> list[Claim]:
        return super().claim(owner, now_ms, limit, **{**options, "lease_ms": 1_000})


@pytest.fixture
def world() -> World:
    return World(Leased())


def test_a_job_that_ran_for_longer_than_its_lease_was_started_again_and_again(world: World) -> None:
    world.add()
    world.ticker.step()
    claims = world.pool.take()
    for _ in range(20):
        world.clock.advance(min(0.5, world.ticker.step()))
        assert world.store.claim("you", world.clock.now_ms(), 10) == []
    world.pool.end(claims)
    world.ticker.step()
    assert (world.count(State.SUCCEEDED), len(world.started)) == (1, 1)


def test_a_lease_that_was_lost_is_not_renewed_and_the_ticker_goes_on(world: World) -> None:
    world.add()
    world.ticker.step()
    claims = world.pool.take()
    world.clock.advance(1.5)  # the ticker stood still
    (other,) = world.store.claim("you", world.clock.now_ms(), 10)
    world.ticker.step()
    world.pool.end(claims)
    world.ticker.step()
    job = world.store.get([other.job.id])[0]
    assert job is not None
    assert (job.state, job.token) == (State.RUNNING, other.token)
    assert world.ticker._leases.nap_s(7.0) == 7.0


def test_a_job_is_renewed_while_the_ticker_lets_it_end(world: World) -> None:
    world.add()
    world.ticker.step()
    claims = world.pool.take()
    world.ticker.stop_claiming(10.0)
    for _ in range(8):
        world.clock.advance(min(0.5, world.ticker.step()))
    world.pool.end(claims)
    world.ticker.step()
    assert world.count(State.SUCCEEDED) == 1
