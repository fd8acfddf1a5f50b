"""The files of services on both interpreters: whatever flash operation power goes at, what is found is whole."""

import pytest

from host_tests.support.device_tests import asking
from host_tests.support.paths import ROOT

CASE = ROOT / "host_tests/firmware/services/service_cuts.py"


ask = asking(CASE, "4M")


@pytest.mark.parametrize("first", [True, False])
def test_a_configuration_is_the_old_or_the_new_one(ask, first):
    ask("config", first=first)


def test_an_upload_goes_on_or_begins_anew(ask):
    ask("upload")
