"""The contract suite lies outside the tests; its failures are to be as readable as theirs."""

import pytest

pytest.register_assert_rewrite("noria.wheel.testing")
