"""Misfires: what happens to fires that were due while no worker could run them. Pure.

A fire that is later than the grace period is skipped. The rest run as one fire, unless the policy is "each". Without a
grace period that is the oldest, which is already claimed; with one it is the newest, which is the least late:

    daily at 07:30, grace 6 h, no worker from Friday 18:00 to Monday 08:00    Saturday and Sunday are skipped,
                                                                              Monday runs
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from ..clock import as_datetime, deadline_ms
from ..errors import InvalidValue
from ..tasks.options.plan import Plan
from ..tasks.options.times import span

MISFIRES: Final = ("coalesce", "skip", "each")
GRACE_MS: Final = 60_000
"""The default grace period of "skip"."""
INSTANCES_MOST: Final = 100
"""Each fire names so many others at most."""
MISSED_MOST: Final = 1_000
"""Missed fires are counted up to this number."""

After = Callable[[int], int | None]


@dataclass(frozen=True, slots=True)
class Policy:
    """What a schedule does with missed fires."""

    misfire: str = "coalesce"
    """"coalesce" them into one run, "skip" those later than the grace period, or run "each"."""
    grace_ms: int | None = None
    """How late a fire may run, in milliseconds; None for no limit."""
    max_instances: int | None = None
    """How many of its fires may be unfinished at once; one more is skipped. None for no limit."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do with a claimed fire."""

    next_ms: int | None
    """The fire to add, or None if the schedule has ended."""
    missed: int = 0
    """How many other missed fires this one replaces."""
    skip: str | None = None
    """Why it is not run; None to run it."""
    stands: int = 0
    """If the next fire was missed, too, and runs instead of this one: how many others that one replaces."""


def policy_of(
    plan: Plan, misfire: str | None, grace: float | timedelta | None, max_instances: int | None = None
) -> Policy:
    """Return the policy of a schedule. ``expires`` and the misfire policy of its calls limit the grace period."""
    if max_instances is not None and (type(max_instances) is not int or not 1 <= max_instances <= INSTANCES_MOST):
        raise InvalidValue.of("max_instances", f"a whole number from 1 to {INSTANCES_MOST}", max_instances)
    if misfire is not None and misfire not in MISFIRES:
        raise InvalidValue.of("misfire", '"coalesce", "skip" or "each"', misfire)
    if plan.expires_ms is not None:
        rule = "a number of seconds or a timedelta for a schedule: how late each fire may start"
        raise InvalidValue.of("expires", rule, as_datetime(plan.expires_ms))
    graces = [] if grace is None else [deadline_ms(0, span("misfire_grace_time", grace))]
    if plan.expires is not None:
        graces.append(deadline_ms(0, plan.expires))
    if plan.skips and misfire is None and not graces:
        graces.append(plan.grace_ms)
    if misfire == "skip" and not graces:
        graces.append(GRACE_MS)
    return Policy(misfire or ("skip" if graces else "coalesce"), min(graces, default=None), max_instances)


def decide(policy: Policy, after: After, at_ms: int, now_ms: int, stands: int = 0) -> Decision:
    """Decide about the fire of ``at_ms`` that was claimed at ``now_ms``.

    Args:
        policy: the schedule's policy.
        after: returns the schedule's next fire after an instant.
        at_ms: when the fire was due.
        now_ms: the current time.
        stands: how many other fires it was already chosen to replace. If any, newer fires do not replace it in turn:
            otherwise none might ever run.
    """
    grace_ms, next_ms = policy.grace_ms, after(at_ms)
    late = None if grace_ms is None or now_ms - at_ms <= grace_ms else _late(now_ms - at_ms, grace_ms)
    if policy.misfire == "each" or next_ms is None or next_ms > now_ms:
        return Decision(next_ms, stands, late)
    missed, to_come = _count(after, at_ms, now_ms)
    if grace_ms is None or (stands and late is None):
        return Decision(to_come, stands + missed)
    newest_ms = newest(after, at_ms, now_ms)
    if now_ms - newest_ms <= grace_ms:
        why = late or "skipped: it was missed"
        return Decision(newest_ms, skip=f"{why}; a newer one runs instead", stands=stands + missed)
    return Decision(to_come, missed, f"{late}; {in_words(missed)} more were skipped, too")


def crowded(policy: Policy, decision: Decision, unfinished: Sequence[str]) -> Decision:
    """The decision, given which earlier fires have not ended: with ``max_instances`` of them, this one is skipped."""
    if decision.skip is not None or policy.max_instances is None or len(unfinished) < policy.max_instances:
        return decision
    others = f" and {len(unfinished) - 1} more have" if len(unfinished) > 1 else " has"
    why = f"skipped: {unfinished[0]}{others} not ended yet, and max_instances is {policy.max_instances}"
    more = f"; {in_words(decision.missed)} more were skipped, too" if decision.missed else ""
    return replace(decision, skip=why + more)


def in_words(missed: int) -> str:
    """The number of missed fires as text. Counting stops at 1000.

    >>> in_words(3), in_words(1_000)
    ('3', 'at least 1000')
    """
    return str(missed) if missed < MISSED_MOST else f"at least {missed}"


def _late(late_ms: int, grace_ms: int) -> str:
    return f"skipped: it was {late_ms / 1000:g} s late, more than {grace_ms / 1000:g} s"


def _count(after: After, at_ms: int, now_ms: int) -> tuple[int, int | None]:
    """Return (how many fires there were after ``at_ms`` up to now, the first one in the future)."""
    missed, next_ms = 0, after(at_ms)
    while next_ms is not None and next_ms <= now_ms:
        missed += 1
        next_ms = after(next_ms if missed < MISSED_MOST else now_ms)
    return min(missed, MISSED_MOST), next_ms


def newest(after: After, at_ms: int, now_ms: int) -> int:
    """The newest fire up to now; there is at least one after ``at_ms``. Bisected: a schedule only answers "after"."""

    def is_last(ms: int) -> bool:
        following = after(ms)
        return following is None or following > now_ms

    return at_ms + bisect_left(range(at_ms, now_ms), True, key=is_last)
