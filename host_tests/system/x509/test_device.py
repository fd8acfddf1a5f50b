"""The kind `x509` on both interpreters: the functions of x509_boots.py and x509_renewal.py, each on one board."""

import pytest

from host_tests.support import device_tests
from host_tests.system.x509.conftest import BOOTS, HEAP, RENEWAL


def functions(path):
    return [case.function for case in device_tests.read(path, path.parent)[0]]


@pytest.fixture(scope="module", params=device_tests.INTERPRETERS)
def boots(request):
    with device_tests.conversation(BOOTS, request.param, heap=HEAP) as ask:
        yield ask


@pytest.fixture(scope="module", params=device_tests.INTERPRETERS)
def renewal(request):
    with device_tests.conversation(RENEWAL, request.param, heap=HEAP) as ask:
        yield ask


@pytest.mark.parametrize("function", functions(BOOTS))
def test_a_boot(boots, made_by, function):
    failed = boots(function, made_by)
    assert failed is None, failed


@pytest.mark.parametrize("function", functions(RENEWAL))
def test_a_renewal(renewal, made_by, function):
    failed = renewal(function, made_by)
    assert failed is None, failed
