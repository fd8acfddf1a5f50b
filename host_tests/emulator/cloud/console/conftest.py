import pytest

from host_tests.support.browser import chromium
from host_tests.support.cloud.client import Running, settings
from host_tests.support.cloud.console import Visitor


@pytest.fixture(scope="module")
def cloud(request, tmp_path_factory, certificates):
    """A cloud with a console for a module; `CLOUD` of the module is its configuration."""
    chosen = getattr(request.module, "CLOUD", None) or settings()
    options = {"ports": {"console": 0}, "admin_open": getattr(request.module, "ADMIN_OPEN", True)}
    with Running(chosen, tmp_path_factory.mktemp("cloud"), certificates, **options) as running:
        yield running


@pytest.fixture
def visitor(cloud):
    """Somebody who has opened the console."""
    return Visitor(cloud).enter()
