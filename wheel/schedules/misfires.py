"""Misfires: what becomes of the fires of a schedule that were due while nobody could run them. Pure.

Each fire is judged by itself: one that is later than the grace is not run. Of those that are left one stands for all,
unless each was asked for. Without a grace it is the oldest, which is claimed already; with one it is the newest, so
that what runs is as little late as can be:

    daily at 07:30, a grace of 6 h, off from Friday 18:00 to Monday 08:00    Saturday's and Sunday's are skipped,
                                                                             Monday's runs
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from ..clock import as_datetime, deadline_ms
from ..errors import InvalidValue
from ..tasks.options.plan import Plan
from ..tasks.options.times import span

MISFIRES: Final = ("coalesce", "skip", "each")
GRACE_MS: Final = 60_000
"""Of "skip", where nothing else is said."""
MISSED_MOST: Final = 1_000
"""Missed fires are counted up to here."""

After = Callable[[int], int | None]


@dataclass(frozen=True, slots=True)
class Policy:
    """What becomes of what was missed."""

    misfire: str = "coalesce"
    """"coalesce" the fires into one run, "skip" those that are later than the grace, run "each"."""
    grace_ms: int | None = None
    """How late one may be run; None for however late."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of a fire that was claimed."""

    next_ms: int | None
    missed: int = 0
    """For how many others the fire stands, as they were missed, too."""
    skip: str | None = None
    """Why it is not run."""
    stands: int = 0
    """For how many the next one stands, which was missed as well, and is run in the place of this one."""


def policy_of(plan: Plan, misfire: str | None, grace: float | timedelta | None) -> Policy:
    """The policy of a schedule.

    Args:
        plan: of its calls; ``expires`` is a grace, too, and so is what the task says of its misfires.
        misfire: what the schedule says itself.
        grace: likewise, in seconds or as a timedelta.

    Raises:
        InvalidValue: one of them breaks its rule.
    """
    if misfire is not None and misfire not in MISFIRES:
        raise InvalidValue.of("misfire", '"coalesce", "skip" or "each"', misfire)
    if plan.expires_ms is not None:
        rule = "a length of time for a schedule: how late each of its fires may be"
        raise InvalidValue.of("expires", rule, as_datetime(plan.expires_ms))
    graces = [] if grace is None else [deadline_ms(0, span("misfire_grace_time", grace))]
    if plan.expires is not None:
        graces.append(deadline_ms(0, plan.expires))
    if plan.skips and misfire is None and not graces:
        graces.append(plan.grace_ms)
    if misfire == "skip" and not graces:
        graces.append(GRACE_MS)
    return Policy(misfire or ("skip" if graces else "coalesce"), min(graces, default=None))


def decide(policy: Policy, after: After, at_ms: int, now_ms: int, stands: int = 0) -> Decision:
    """What becomes of the fire of ``at_ms`` that is claimed at ``now_ms``.

    Args:
        policy: what was asked for.
        after: gives the schedule's next fire after an instant.
        at_ms: when it was to fire.
        now_ms: the present.
        stands: for how many others it was chosen already: then newer ones do not take its place, or it might never run.
    """
    grace_ms, next_ms = policy.grace_ms, after(at_ms)
    late = None if grace_ms is None or now_ms - at_ms <= grace_ms else _late(now_ms - at_ms, grace_ms)
    if policy.misfire == "each" or next_ms is None or next_ms > now_ms:
        return Decision(next_ms, stands, late)
    missed, to_come = _count(after, at_ms, now_ms)
    if grace_ms is None or (stands and late is None):
        return Decision(to_come, stands + missed)
    newest_ms = _newest(after, at_ms, now_ms)
    if now_ms - newest_ms <= grace_ms:
        why = late or "skipped: it was missed"
        return Decision(newest_ms, skip=f"{why}, and a newer one is run instead", stands=stands + missed)
    return Decision(to_come, missed, f"{late}, and so were {in_words(missed)} more")


def in_words(missed: int) -> str:
    """How many were missed, which are counted up to a thousand only.

    >>> in_words(3), in_words(1_000)
    ('3', 'at least 1000')
    """
    return str(missed) if missed < MISSED_MOST else f"at least {missed}"


def _late(late_ms: int, grace_ms: int) -> str:
    return f"skipped: it was {late_ms / 1000:g} s late, more than {grace_ms / 1000:g} s"


def _count(after: After, at_ms: int, now_ms: int) -> tuple[int, int | None]:
    """(how many fires there were after one, the first to come)."""
    missed, next_ms = 0, after(at_ms)
    while next_ms is not None and next_ms <= now_ms:
        missed += 1
        next_ms = after(next_ms if missed < MISSED_MOST else now_ms)
    return min(missed, MISSED_MOST), next_ms


def _newest(after: After, at_ms: int, now_ms: int) -> int:
    """The newest fire up to now, of which there is one after ``at_ms``: a schedule knows only what comes after."""
    low, high = at_ms, now_ms  # a fire comes after low, and none after high
    while high - low > 1:
        middle = (low + high) // 2
        following = after(middle)
        if following is not None and following <= now_ms:
            low = middle
        else:
            high = middle
    return high
