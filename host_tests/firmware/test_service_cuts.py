"""The files of services on both interpreters: whatever flash operation power goes at, what is found is whole."""

from contextlib import ExitStack

import pytest

from host_tests.support.device_tests import INTERPRETERS, conversation
from host_tests.support.paths import ROOT

CASE = ROOT / "host_tests/firmware/services/service_cuts.py"


@pytest.fixture(scope="module", params=list(INTERPRETERS))
def ask(request):
    with ExitStack() as stack:
        asked = stack.enter_context(conversation(CASE, request.param, heap="4M"))

        def call(function, **value):
            failed = asked(function, value)
            assert failed is None, (value, failed)

        yield call


@pytest.mark.parametrize("first", [True, False])
def test_a_configuration_is_the_old_or_the_new_one(ask, first):
    ask("config", first=first)


def test_an_upload_goes_on_or_begins_anew(ask):
    ask("upload")
