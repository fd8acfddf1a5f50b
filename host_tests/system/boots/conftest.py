import secrets

import pytest

from host_tests.support import fleet as boots
from host_tests.support.device_tests import INTERPRETERS
from tools.emulator.cloud.process import Cloud


@pytest.fixture(scope="session")
def product_secrets():
    return {boots.REGISTERED: secrets.token_hex(8), boots.FREE: secrets.token_hex(8)}


@pytest.fixture(scope="module")
def cloud(tmp_path_factory, product_secrets):
    with Cloud(boots.config(product_secrets), tmp_path_factory.mktemp("cloud")) as running:
        yield running


@pytest.fixture(params=list(INTERPRETERS))
def fleet(request, cloud, product_secrets, tmp_path):
    """Boards of one of the two interpreters. None of them, nor the cloud's log, may ever tell a secret."""
    made = boots.Fleet(cloud, product_secrets, tmp_path, INTERPRETERS[request.param])
    yield made
    cloud.admin("DELETE", "/faults")
    assert not made.told()


@pytest.fixture
def chips(cloud, product_secrets, tmp_path):
    """Boards of the MicroPython interpreter only."""
    made = boots.Fleet(cloud, product_secrets, tmp_path, None)
    yield made
    cloud.admin("DELETE", "/faults")
    assert not made.told()
