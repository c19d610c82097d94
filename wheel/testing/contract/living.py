"""Opening and closing a store, and Wakeup."""

from __future__ import annotations

import threading
from collections.abc import Callable

from ...contract import Store, Wakeup
from ...errors import StoreClosed
from ...job import Released, Succeeded
from ...turn import effects
from .base import NOW, ContractBase, a_job, refused


class LifeContract(ContractBase):
    def test_a_new_store_is_empty_and_sound(self) -> None:
        assert self.everything() == []
        assert self.claim() == []
        assert self.store.check() == []
        stats = self.store.stats(NOW)
        assert (stats.accepted, stats.scheduled, stats.overdue, stats.running, stats.next_due_ms) == (0, 0, 0, 0, None)

    def test_calls_without_jobs_change_nothing(self) -> None:
        store = self.store
        assert [store.add([], NOW), store.settle([], NOW), store.cancel([], NOW)] == [[], [], []]
        assert store.stats(NOW).accepted == 0

    def test_closing_twice_is_allowed_and_any_other_verb_raises_store_closed(self) -> None:
        store = self.make_store()
        store.add([a_job("a"), a_job("b")], NOW)
        (claim,) = store.claim("me", NOW, 1)
        store.close()
        store.close()
        verbs: list[Callable[[Store], object]] = [
            lambda store: store.add([a_job("c")], NOW),
            lambda store: store.add([a_job("c")], NOW, fresh=True),
            lambda store: store.add([a_job("c"), a_job("d")], NOW, fresh=True),
            lambda store: store.claim("me", NOW, 1),
            lambda store: store.settle(effects([(claim, Succeeded())]), NOW),
            lambda store: store.cancel(["b"], NOW),
            lambda store: store.reschedule(["b"], NOW, NOW),
            lambda store: store.revive(["b"], NOW, NOW),
            lambda store: store.forget(["b"]),
            lambda store: store.tidy(NOW),
            lambda store: store.pause(["queue:mail"]),
            lambda store: store.resume(["queue:mail"]),
            lambda store: store.paused(),
            lambda store: store.get(["a"]),
            lambda store: store.scan(),
            lambda store: store.next_due(),
            lambda store: store.stats(NOW),
            lambda store: store.check(),
        ]
        for verb in verbs:
            with refused(StoreClosed):
                verb(store)
        store.close()

    def test_jobs_tokens_and_totals_go_on_when_the_store_is_opened_again(self) -> None:
        self.add(a_job("a"), a_job("b", 5, key="k"), a_job("c", -1))
        first, second = self.claim()
        self.settle(first, Succeeded(returned="1"))
        self.settle(second, Released())
        before = self.everything()
        self.open_again()
        assert self.everything() == before
        assert self.store.add([a_job("d", key="k")], NOW) == ["b"]
        claims = self.claim(5)
        assert [claim.job.id for claim in claims] == ["a", "b"]
        assert min(claim.token for claim in claims) > max(first.token, second.token)
        assert self.store.stats(NOW).succeeded == 1

    # ---- Wakeup ------------------------------------------------------------------------------------------

    def test_a_wait_ends_by_itself_or_when_notified(self) -> None:
        store = self.store
        if not isinstance(store, Wakeup):
            return
        while store.wait(0):
            pass
        assert store.wait(0.001) is False
        woken: list[bool] = []
        waiting = threading.Thread(target=lambda: woken.append(store.wait(30)))
        waiting.start()
        while waiting.is_alive():
            store.notify()
            waiting.join(0.001)
        assert woken == [True]
