"""Draws docs/ring.svg: a ring of some thousand jobs, by the project's own code. Run: python docs/make_ring.py"""

from __future__ import annotations

import random
from pathlib import Path

from hourwheel.cli.picture import ring_svg
from hourwheel.ring import Ring

HAND = 1_798_762_397  # 2026-12-31 23:33:17 UTC


def draw() -> str:
    """The picture: steady work, a burst on every fifth minute, and a rush of reminders in a quarter of an hour."""
    rng = random.Random(1)  # noqa: S311 - a drawing
    ring = Ring[str](HAND)
    ahead = [rng.randrange(3_600_000) for _ in range(1_400)]
    ahead += [round(rng.gauss(900, 190) * 1000) % 3_600_000 for _ in range(3_200)]
    ahead += [round((-HAND % 300 + 300 * rng.randrange(12) + rng.expovariate(0.22)) * 1000) for _ in range(1_300)]
    for number, delay_ms in enumerate(ahead):
        ring.add(f"job-{number}", HAND * 1000 + 1000 + delay_ms)
    density = ring.density(HAND * 1000 + 3_601_000)
    return ring_svg(density, HAND, title="One hour of Hourwheel", labels=["one cell a second", "one sector a minute"])


if __name__ == "__main__":
    Path(__file__).with_name("ring.svg").write_text(draw(), encoding="utf-8")
