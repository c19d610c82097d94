"""Each campaign at its smallest size, so that none of them rots."""

from __future__ import annotations

import pytest

from tests.torture import table
from tests.torture.campaigns import CAMPAIGNS, Campaign
from tests.torture.run import Ended, Run


@pytest.mark.timeout(1_500)  # what hangs is ended by the campaigns' own bounds
@pytest.mark.parametrize("campaign", CAMPAIGNS, ids=lambda campaign: campaign.name)
def test_a_campaign_finds_nothing_wrong_and_every_seeded_bug(campaign: Campaign) -> None:
    ended: list[Ended] = Run([campaign], "smoke", 1, lambda one: None).all()
    assert ended[0].report.passed, "\n".join(table.wrong(ended))
