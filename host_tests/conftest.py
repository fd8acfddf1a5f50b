"""What all host tests share: how large their campaigns are."""

import os

import pytest


@pytest.fixture(scope="session")
def campaign():
    """`campaign(n)`: how many times to try what CI tries n times; ALIOT_CAMPAIGN is the factor."""
    factor = float(os.environ.get("ALIOT_CAMPAIGN", "1"))
    return lambda count: max(1, round(count * factor))
