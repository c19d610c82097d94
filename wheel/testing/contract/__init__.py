"""StoreContract: what a Store must do, as tests for any implementation."""

from __future__ import annotations

from .adding import AddContract
from .awaiting import AwaitContract
from .changing import ChangeContract
from .claiming import ClaimContract
from .leasing import LeaseContract
from .limiting import LimitContract, PauseContract
from .living import LifeContract
from .reading import ReadContract
from .settling import SettleContract

__all__ = ["StoreContract"]


class StoreContract(
    AddContract,
    ClaimContract,
    LeaseContract,
    SettleContract,
    AwaitContract,
    ChangeContract,
    LimitContract,
    PauseContract,
    ReadContract,
    LifeContract,
):
    """Tests of everything that hourwheel.contract.Store promises. Subclass it and define how to make a store.

        class TestMyStore(StoreContract):
            def make_store(self):
                return MyStore(...)                # new and empty

            def reopen(self, store):               # if it is durable: the same data, opened again
                store.close()
                return MyStore(...)

    After every test, check() must find nothing, the counts of stats() must agree with the jobs, and the store must hold
    the same when it is opened again. For readable failures, put
    ``pytest.register_assert_rewrite("hourwheel.testing")`` into your conftest.py.
    """
