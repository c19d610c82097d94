"""The Store contract as tests: any store that keeps it passes, a new one is written until it does."""

from __future__ import annotations

from .adding import AddContract
from .asking import AskContract
from .awaiting import AwaitContract
from .changing import ChangeContract
from .choosing import ChoosingContract
from .claiming import ClaimContract
from .erasing import EraseContract
from .following import FollowContract
from .leasing import LeaseContract
from .limiting import LimitContract, PauseContract
from .living import LifeContract
from .reading import ReadContract
from .settling import SettleContract

__all__ = ["StoreContract"]


class StoreContract(
    AddContract,
    ClaimContract,
    AskContract,
    LeaseContract,
    SettleContract,
    AwaitContract,
    ChangeContract,
    FollowContract,
    EraseContract,
    LimitContract,
    PauseContract,
    ChoosingContract,
    ReadContract,
    LifeContract,
):
    """Every promise of hourwheel.contract.Store as a pytest class; subclass it and say how a store is made.

        class TestMyStore(StoreContract):
            def make_store(self):
                return MyStore(...)                # new and empty

            def reopen(self, store):               # if it is durable: the same data, opened again
                store.close()
                return MyStore(...)

    After every test check() must find nothing, the ledger must balance, and a reopened store must hold the same jobs.
    For readable failures put ``pytest.register_assert_rewrite("hourwheel.testing")`` into your conftest.py.
    """
