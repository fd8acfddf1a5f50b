"""The X.509 way on both interpreters: the functions of host_tests/device/x509_script.py, each on one board."""

import pytest

from host_tests.x509.conftest import DEVICE, HEAP
from tools.emulator.board import cases

CASES = [case.function for case in cases.read(DEVICE, DEVICE.parent)[0]]


@pytest.fixture(scope="module", params=cases.INTERPRETERS)
def board(request):
    with cases.conversation(DEVICE, request.param, heap=HEAP) as ask:
        yield ask


@pytest.mark.parametrize("function", CASES)
def test_on_a_board(board, made_by, function):
    failed = board(function, made_by)
    assert failed is None, failed
