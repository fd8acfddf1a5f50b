"""The X.509 way on both interpreters: the functions of host_tests/firmware/device/x509_script.py, each on one board."""

import pytest

from host_tests.support import device_tests
from host_tests.system.x509.conftest import DEVICE, HEAP

CASES = [case.function for case in device_tests.read(DEVICE, DEVICE.parent)[0]]


@pytest.fixture(scope="module", params=device_tests.INTERPRETERS)
def board(request):
    with device_tests.conversation(DEVICE, request.param, heap=HEAP) as ask:
        yield ask


@pytest.mark.parametrize("function", CASES)
def test_on_a_board(board, made_by, function):
    failed = board(function, made_by)
    assert failed is None, failed
