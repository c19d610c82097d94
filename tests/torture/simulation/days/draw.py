"""Draws histories from seeds: a bad day. The same seed draws the same day, on any machine."""

from __future__ import annotations

from random import Random
from typing import Final, get_args

from .happenings import (
    Add,
    Cancel,
    Crash,
    CutOff,
    Disown,
    Drain,
    Fail,
    Fate,
    Happening,
    Moment,
    Pause,
    Reschedule,
    SetClock,
)
from .history import DAY_MS, History

_MINUTE: Final = 60_000
_HOUR: Final = 3_600_000


def bad_day(
    seed: int,
    *,
    nodes: int = 3,
    workers: int = 2,
    length_ms: int = DAY_MS,
    jobs: int = 100,
    lease_ms: int | None = None,
) -> History:
    """A day on which about so many jobs are added and everything goes wrong that can."""
    day = _Day(Random(f"day {seed}"), nodes, length_ms)
    added = [*day.singles(jobs), *day.bursts(), *day.rivals()]
    happenings: list[Happening] = [*added, *day.crowd(), *day.troubles(added)]
    happenings += day.second_thoughts([each.id for each in happenings if isinstance(each, Add) and each.count == 1])
    if lease_ms is not None:
        happenings += [*day.silences(lease_ms), *day.swarm(lease_ms)]
    happenings.sort(key=lambda each: each.at_ms)
    return History(
        happenings=tuple(happenings), seed=seed, nodes=nodes, workers=workers, lease_ms=lease_ms, length_ms=length_ms
    )


class _Day:
    def __init__(self, random: Random, nodes: int, length_ms: int) -> None:
        self._random = random
        self._nodes = nodes
        self._length_ms = length_ms
        self._busy: list[int] = []
        """Moments at which something is added or comes due."""

    def _when(self) -> int:
        return self._random.randrange(self._length_ms)

    def _when_it_hurts(self) -> int:
        """Mostly a moment before or after something has to be done."""
        if not self._busy or self._random.random() < 0.3:
            return self._when()
        around = self._random.choice(self._busy) + self._span((2, -1500, 0), (1, 0, 1500), (1, -5, 5))
        return min(max(0, around), self._length_ms - 1)

    def _node(self) -> int:
        return self._random.randrange(self._nodes)

    def _span(self, *kinds: tuple[int, int, int]) -> int:
        """A length of time: of (weight, from, to) kinds, one by its weight, then any between."""
        _, least, most = self._random.choices(kinds, [weight for weight, _, _ in kinds])[0]
        return self._random.randint(least, most)

    def _delay_ms(self) -> int:
        kinds = (30, 0, 0), (5, -_HOUR, -1), (15, 1, 999), (15, 1000, 5000), (20, 5000, _HOUR), (15, _HOUR, 5 * _HOUR)
        return self._span(*kinds)

    def _runs_ms(self) -> int:
        kinds = (30, 0, 4), (30, 5, 500), (25, 500, 20_000), (12, 20_000, 10 * _MINUTE), (2, _HOUR, _HOUR)
        return self._span(*kinds)

    def singles(self, count: int) -> list[Add]:
        """Jobs one by one, of all kinds."""
        return [self._single(n) for n in range(count)]

    def _single(self, n: int) -> Add:
        random = self._random
        fates: tuple[Fate, ...] = get_args(Fate)
        return Add(
            at_ms=self._when(),
            id=f"job-{n}",
            delay_ms=self._delay_ms(),
            node=self._node(),
            key=f"key-{random.randrange(5)}" if random.random() < 0.1 else None,
            on_conflict=random.choice(["keep", "replace"]),
            priority=random.choice([0, 0, 0, 0, 5, -5]),
            expires_ms=self._span((1, 1, 2000), (1, 2000, _HOUR)) if random.random() < 0.08 else None,
            max_crashes=random.choice([3, 3, 3, 1]),
            runs_ms=self._runs_ms(),
            fate=random.choices(fates, [88, 6, 6])[0],
            retry_ms=self._span((1, 0, 1000), (1, 1000, _HOUR)),
        )

    def bursts(self) -> list[Add]:
        """Many jobs in one call."""
        return [
            Add(
                at_ms=self._when(),
                id=f"burst-{n}",
                delay_ms=self._delay_ms(),
                count=self._random.randint(3, 30),
                node=self._node(),
                runs_ms=self._span((2, 0, 4), (1, 5, 3000), (1, 10_000, 120_000)),
            )
            for n in range(self._random.randint(0, 2))
        ]

    def rivals(self) -> list[Add]:
        """A job that runs, and is to run again, while another takes its key."""
        if self._random.random() < 0.7:
            return []
        at_ms, runs_ms = self._when(), self._span((1, 2000, 60_000))
        second_ms = at_ms + self._random.randrange(runs_ms)
        return [
            Add(at_ms=at_ms, id="rival-0", key="rivals", runs_ms=runs_ms, fate="retry", node=self._node()),
            Add(at_ms=second_ms, id="rival-1", key="rivals", on_conflict="replace", delay_ms=_HOUR, node=self._node()),
        ]

    def crowd(self) -> list[Happening]:
        """More jobs than workers, and the clock is set back to before they were due."""
        if self._random.random() < 0.85:
            return []
        at_ms, runs_ms = self._when(), self._span((1, 2000, 30_000))
        count = self._random.randint(8, 16)
        back = SetClock(at_ms=at_ms + self._random.randrange(1, runs_ms), by_ms=-self._span((1, runs_ms, _HOUR)))
        return [Add(at_ms=at_ms, id="crowd", count=count, runs_ms=runs_ms, node=self._node()), back]

    def second_thoughts(self, ids: list[str]) -> list[Happening]:
        """Cancels and reschedules, also of jobs that have ended or were never added."""
        ids = [*ids, "nobody"]
        found: list[Happening] = []
        for _ in range(len(ids) // 12):
            id = self._random.choice(ids)
            if self._random.random() < 0.5:
                found.append(Cancel(at_ms=self._when(), id=id))
            else:
                found.append(Reschedule(at_ms=self._when(), id=id, delay_ms=self._delay_ms()))
        return found

    def troubles(self, added: list[Add]) -> list[Happening]:
        """Deaths, stalls, a clock that is set, a store that fails; mostly when there is something to do."""
        dues = [(add, add.at_ms + add.delay_ms) for add in added]
        self._busy = [moment for add, due_ms in dues for moment in (add.at_ms, due_ms)]
        self._busy += [due_ms + add.runs_ms for add, due_ms in dues if add.count > 1 or add.runs_ms > _MINUTE] * 3
        random, moments = self._random, get_args(Moment)
        found: list[Happening] = []
        for _ in range(random.randint(0, 5)):
            down_ms = self._span((3, 0, 3000), (2, 3000, 10 * _MINUTE), (1, _HOUR, 3 * _HOUR))
            moment: Moment = random.choice(moments)
            found.append(Crash(at_ms=self._when_it_hurts(), node=self._node(), down_ms=down_ms, moment=moment))
        for _ in range(random.randint(0, 2)):
            found.append(
                Drain(
                    at_ms=self._when_it_hurts(), node=self._node(), down_ms=self._span((1, 0, _MINUTE)), timeout_ms=3000
                )
            )
        for _ in range(random.randint(0, 3)):
            lasts_ms = self._span((1, 1, 3000), (1, 3000, 2 * _HOUR))
            found.append(Pause(at_ms=self._when_it_hurts(), node=self._node(), lasts_ms=lasts_ms))
        for _ in range(random.randint(0, 3)):
            by_ms = self._span((3, 1, 5000), (3, 5000, _HOUR), (1, _HOUR, 24 * _HOUR)) * random.choice([1, -1])
            found.append(SetClock(at_ms=self._when_it_hurts(), by_ms=by_ms))
        for _ in range(random.randint(0, 2)):
            found.append(
                Fail(
                    at_ms=self._when_it_hurts(),
                    lasts_ms=self._span((1, 1, 3000), (1, 3000, _MINUTE)),
                    answer=random.random() < 0.5,
                )
            )
        if random.random() < 0.4:
            found.append(Disown(at_ms=self._when_it_hurts(), node=self._node()))
        return found

    def silences(self, lease_ms: int) -> list[Happening]:
        """Nodes of which the store hears nothing for about a lease, and nodes that hear nothing of it."""
        found: list[Happening] = []
        for _ in range(self._random.randint(1, 6)):
            at_ms, node = self._when_it_hurts(), self._node()
            lasts_ms = self._span((2, 1, lease_ms), (4, lease_ms * 2 // 3, lease_ms * 3), (1, lease_ms, 30 * lease_ms))
            if self._random.random() < 0.4:
                found.append(Pause(at_ms=at_ms, node=node, lasts_ms=lasts_ms))
            else:
                answer = self._random.random() < 0.3
                found.append(CutOff(at_ms=at_ms, node=node, lasts_ms=lasts_ms, answer=answer))
        return found

    def swarm(self, lease_ms: int) -> list[Happening]:
        """Many short jobs, of which some wait in the queue of a node when it stands still."""
        random = self._random
        if random.random() < 0.6:
            return []
        at_ms, node = random.randrange(_MINUTE), self._node()
        count, runs_ms = random.randint(50, 200), random.randint(1, 3)
        stalls_ms = at_ms + random.randint(runs_ms, count * runs_ms // 2)
        lasts_ms = self._span((1, lease_ms // 2, lease_ms * 3))
        return [
            Add(at_ms=at_ms, id="swarm", count=count, runs_ms=runs_ms, node=node),
            Pause(at_ms=stalls_ms, node=node, lasts_ms=lasts_ms),
        ]
