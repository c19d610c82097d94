"""Node: one process of the simulated machine: a real Ticker, a virtual pool, and a name for each of its lives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from ...contract import Store
from ...worker.ticker import Ticker
from .clock import SECOND
from .ledger import Violation
from .pool import VirtualPool
from .seam import Seam

if TYPE_CHECKING:
    from .world import World

JITTER_NS: Final = 2_000_000
"""A sleeper wakes up to so much later than it wanted."""
_TICKS_MISSED_MOST: Final = 2
_NEVER: Final = 1 << 80


class Node:
    """A place where processes live, one after the other."""

    def __init__(self, world: World, number: int) -> None:
        self.number = number
        self.name = f"node-{number}"
        self.life = 0
        self.down_ms = 0
        """How long it will be down once it has ended."""
        self.next_at = _NEVER
        """When it steps next, in nanoseconds of the world."""
        self._target = _NEVER
        self._world = world
        self._paused_until = 0
        self._idled = 0
        self._seen = (-1, 0)
        self.seam: Seam | None = None
        self.ticker: Ticker
        self.pool: VirtualPool

    @property
    def alive(self) -> bool:
        """Whether a process lives here."""
        return self.seam is not None

    @property
    def owner(self) -> str:
        """In whose name it claims."""
        return f"{self.name}.{self.life}"

    @property
    def paused(self) -> bool:
        """Whether it stands still."""
        return self._paused_until > self._world.clock.at

    # ---- life --------------------------------------------------------------------------------------------

    def start(self) -> None:
        """A new process."""
        self.life += 1
        world = self._world
        self._paused_until, self._idled = 0, 0
        self.seam = Seam(world.stores.open(self.owner), world.ledger, world.weather, world.settled)
        self.pool = VirtualPool(world.history.workers, world.clock, world)
        self.ticker = Ticker(cast("Store", self.seam), self.pool, world.clock, owner=self.owner)
        self.pool.start(wake=self.wake, settle_late=self.ticker.late.settle)
        self._sleep_until(world.clock.at)

    def die(self) -> None:
        """kill -9."""
        self.seam = None
        self.next_at = _NEVER

    def pause(self, until: int) -> None:
        """Stand still."""
        self._paused_until = max(self._paused_until, until)
        self.next_at = max(self.next_at, self._paused_until)

    def drain(self, timeout_s: float) -> None:
        """Stop in order."""
        self.ticker.stop_claiming(timeout_s)
        self.wake()

    # ---- steps -------------------------------------------------------------------------------------------

    def wake(self) -> None:
        """End its sleep."""
        soon = self._world.clock.at + self._late(self._world.clock.at) // 8
        if self.alive and self.next_at > soon:
            self._target = self.next_at = max(soon, self._paused_until)

    def step(self) -> None:
        """One step of the ticker."""
        before = self._world.clock.at
        sleep_s = self.ticker.step()
        if self.ticker._over:
            self.next_at = _NEVER
            return
        if not 0.0 <= sleep_s <= 1.0:
            raise Violation(f"{self.owner} wants to sleep for {sleep_s} s, more than a tick")
        self._refuse_idling()
        self._refuse_spinning(before)
        if self.next_at <= before:  # else a worker woke it meanwhile, which is soon enough
            self._sleep_until(before + round(sleep_s * SECOND))

    @property
    def over(self) -> bool:
        """Whether its ticker has ended in order, and is to be finished."""
        return self.alive and self.ticker._over

    def _sleep_until(self, target: int) -> None:
        self._target = target
        self.next_at = max(target + self._late(target), self._paused_until)

    def _late(self, target: int) -> int:
        """How much later than wanted; a function of the moment, so that it does not matter what was drawn before."""
        mixed = (target // 1000 + 7919 * self.number + 104_729 * self._world.history.seed) * 2_654_435_761
        return (mixed & 0xFFFFFFFF) % JITTER_NS

    def _refuse_idling(self) -> None:
        """Whoever has room, and a store that works, must not leave a due job, or one of a dead owner, for two ticks."""
        world = self._world
        now_ms = world.clock.now_ms()
        if not world.weather.fair or self.ticker._stop_at is not None or self.ticker._trouble:
            self._idled = 0
        elif self._must_act():
            if now_ms // 1000 != self._seen[0]:
                self._idled += 1
            if self._idled > _TICKS_MISSED_MOST:
                raise Violation(
                    f"{self.owner} has had room for {self._idled} ticks and has not taken what is due: "
                    f"{world.left_lying()}"
                )
        else:
            self._idled = 0

    def _must_act(self) -> bool:
        world, ledger = self._world, self._world.ledger
        if ledger.running and (ledger.orphans() or self.forgotten()):
            return True
        return self.ticker._credit() > 0 and world.overdue()

    def forgotten(self) -> list[str]:
        """Jobs that run in its name, and that it knows nothing of: nobody would ever take them back."""
        mine = [entry for entry in self._world.ledger.running.values() if entry.owner == self.owner]
        if not mine:
            return []
        known = self.pool.held() | {claim.token for claim, _ in self.ticker._unsettled}
        return [entry.id for entry in mine if entry.token not in known]

    def _refuse_spinning(self, at: int) -> None:
        second = self._world.clock.now_ms() // 1000
        steps = self._seen[1] + 1 if self._seen[0] == second else 1
        self._seen = second, steps
        if steps > self._world.steps_a_second:
            raise Violation(f"{self.owner} steps more than {steps - 1} times within a second, at {at}")

    # ---- skipping idle ticks -----------------------------------------------------------------------------

    @property
    def has_room(self) -> bool:
        """Whether it would claim if something were due."""
        return self.ticker._credit() > 0

    def idle(self, *, overdue: bool) -> bool:
        """Whether its next ticks can change nothing, for as long as nothing happens and nothing comes due."""
        ticker, seam = self.ticker, self.seam
        assert seam is not None
        return (
            (self._target + self._world.clock.offset) % SECOND == 0
            and self.pool.still
            and not ticker._unsettled
            and not ticker._trouble
            and ticker._stop_at is None
            and not seam.dies.endswith("claim")  # at such a tick it would die
            and not (overdue and self.has_room)
        )

    def may_skip_to(self, limit: int) -> bool:
        """Whether there is a tick to leave out before ``limit``."""
        return limit - JITTER_NS - self._target >= SECOND

    def skip_to(self, limit: int) -> int:
        """Leave out the ticks that end a second or more before ``limit``; how many."""
        skipped = max(0, (limit - JITTER_NS - self._target) // SECOND)
        if skipped:
            self._sleep_until(self._target + skipped * SECOND)
        return skipped
