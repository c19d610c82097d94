"""Fences with a hole in them, which zombies must find."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any, Final

import pytest
from hourwheel.contract import find
from hourwheel.job import Claim, Job
from hourwheel.job import State as JobState
from hourwheel.store.state import verbs
from hourwheel.store.state.leases import Leases
from hourwheel.store.state.records import Claimed
from hourwheel.store.state.state import State
from hourwheel.store.state.verbs import StateVerbs

from tests.torture.report import Report

from . import simulated

Sow = Callable[[pytest.MonkeyPatch], None]


def caught(name: str, seed: int) -> bool:
    """Whether zombies bring the bug out."""
    report = Report()
    rng = random.Random(seed)
    with pytest.MonkeyPatch.context() as patch:
        BUGS[name](patch)
        for _ in range(20):
            try:
                simulated.run(report, rng, 50)
            except Exception as error:
                report.wrong(repr(error))
            if report.violations:
                return True
    return False


def _token_is_not_compared(patch: pytest.MonkeyPatch) -> None:
    def holds(self: State, claim: Claim) -> bool:
        row = self.rows.get(claim.job.id)
        return isinstance(row, Job) and row.state is JobState.RUNNING

    patch.setattr(State, "holds", holds)


def _owner_is_compared_instead_of_the_token(patch: pytest.MonkeyPatch) -> None:
    def holds(self: State, claim: Claim) -> bool:
        row = self.rows.get(claim.job.id)
        return isinstance(row, Job) and row.state is JobState.RUNNING and row.owner == claim.owner

    patch.setattr(State, "holds", holds)


def _lapsed_lease_can_be_renewed(patch: pytest.MonkeyPatch) -> None:
    def beat(self: Leases, owner: str, now_ms: int) -> bool:
        self.begin(owner, now_ms)
        return True

    patch.setattr(Leases, "beat", beat)


def _a_lapsed_lease_still_holds(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Leases, "rescues", lambda self, state, now_ms: [])


def _rescue_keeps_the_token(patch: pytest.MonkeyPatch) -> None:
    real_claimed = State._claimed

    def claimed(self: State, record: Claimed) -> None:
        tokens = {id: job.token for id in record.ids if (job := self.get(id)) is not None and job.token}
        real_claimed(self, record)
        for id, token in tokens.items():
            self.rows[id] = self.rows[id]._replace(token=token)  # type: ignore[union-attr]

    patch.setattr("hourwheel.store.state.state._APPLY", {**_table(), Claimed: claimed})


def _table() -> dict[Any, Any]:
    from hourwheel.store.state import state

    return state._APPLY


def _whoever_settles_a_running_job_is_heard(patch: pytest.MonkeyPatch) -> None:
    def judge(state: State, settlements: Sequence[Any]) -> Any:
        held = [(claim.job.id, claim.token, how) for claim, how in settlements if claim.job.id in state.running]
        return held, [claim for claim, _ in settlements if claim.job.id not in state.running], []

    patch.setattr(verbs, "judge", judge)


def _finished_jobs_may_be_settled_again(patch: pytest.MonkeyPatch) -> None:
    real_settle = StateVerbs.settle

    def settle(self: StateVerbs, settlements: Sequence[Any], now_ms: int) -> list[Claim]:
        lost = real_settle(self, settlements, now_ms)
        return [claim for claim in lost if (job := find(self, claim.job.id)) is None or not job.finished]

    patch.setattr(StateVerbs, "settle", settle)


BUGS: Final[dict[str, Sow]] = {
    "the token is not compared": _token_is_not_compared,
    "the owner is compared instead of the token": _owner_is_compared_instead_of_the_token,
    "a lapsed lease can be renewed": _lapsed_lease_can_be_renewed,
    "a lapsed lease still holds": _a_lapsed_lease_still_holds,
    "a rescue keeps the token": _rescue_keeps_the_token,
    "whoever settles a running job is heard": _whoever_settles_a_running_job_is_heard,
    "finished jobs may be settled again": _finished_jobs_may_be_settled_again,
}
