import pytest

from host_tests.support import gateways as sites
from host_tests.support.device_tests import INTERPRETERS
from tools.emulator.cloud.process import Cloud


@pytest.fixture(scope="module")
def cloud(tmp_path_factory):
    with Cloud(sites.config(count=400), tmp_path_factory.mktemp("cloud")) as running:
        yield running


@pytest.fixture(params=list(INTERPRETERS))
def site(request, cloud, tmp_path):
    """Gateways of one of the two interpreters. None of them, nor the cloud's log, may ever tell a secret."""
    yield from _sites(cloud, tmp_path, INTERPRETERS[request.param])


@pytest.fixture
def chips(cloud, tmp_path):
    """Gateways of the MicroPython interpreter only."""
    yield from _sites(cloud, tmp_path, None)


def _sites(cloud, folder, interpreter):
    made = sites.Site(cloud, folder, interpreter)
    yield made
    for board in made.boards:
        board.power_off()
    cloud.admin("DELETE", "/faults")
    assert not made.told()
