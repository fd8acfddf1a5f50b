"""What all host tests share: clouds and boards, how large campaigns are, and the figures printed at the end."""

import os

import hypothesis
import pytest

from host_tests.support.chips import bench, espefuse, esptool, plugged_in, quick_client, stock_image
from host_tests.support.device_tests import INTERPRETERS
from host_tests.support.fleet import Direct, Fleet
from tools.emulator.cloud.process import Cloud

# a slow machine is no failure
hypothesis.settings.register_profile(
    "host", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("host")


@pytest.fixture(scope="session", autouse=True)
def state_folder(tmp_path_factory):
    """Journals of the tests lie in a folder of theirs, not in the user's own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture(scope="module")
def cloud_config(request):
    """The cloud.toml of a module's cloud: its `CLOUD`, or what its `FLEET` needs."""
    found = getattr(request.module, "CLOUD", None)
    return getattr(request.module, "FLEET", Direct).config() if found is None else found


@pytest.fixture(scope="module")
def cloud(cloud_config, tmp_path_factory):
    """The emulated cloud of a module, a process of its own."""
    with Cloud(cloud_config, tmp_path_factory.mktemp("cloud")) as running:
        yield running


@pytest.fixture(params=INTERPRETERS.values(), ids=INTERPRETERS.keys())
def interpreter(request):
    """What `Board` takes for each of the two interpreters."""
    return request.param


@pytest.fixture
def board(interpreter, tmp_path):
    """`board(image, **options)`: a board without a cloud; its power ends with the test."""
    made = Fleet(None, tmp_path, interpreter)
    yield made.add
    made.off()


@pytest.fixture
def fleet(request, cloud, interpreter, tmp_path):
    """The module's `FLEET` on one of the two interpreters. No board and no log of the cloud shows a secret."""
    made = getattr(request.module, "FLEET", Direct)(cloud, tmp_path, interpreter)
    yield made
    made.off()
    cloud.admin("DELETE", "/faults")
    assert not made.leaked()


@pytest.fixture(scope="session")
def campaign():
    """`campaign(n)`: how many times to try what CI tries n times; ALIOT_CAMPAIGN is the factor."""
    factor = float(os.environ.get("ALIOT_CAMPAIGN", "1"))
    return lambda count: max(1, round(count * factor))


@pytest.fixture
def tally(request):
    """`tally(what, count=1)`: adds to a figure that is printed when all tests have ended."""

    def add(what, count=1):
        request.node.user_properties.append(("tally", (what, int(count))))

    return add


def pytest_terminal_summary(terminalreporter):
    figures = {}
    for reports in terminalreporter.stats.values():
        for report in reports:
            if getattr(report, "when", None) == "teardown":
                for name, value in report.user_properties:
                    if name == "tally":
                        figures[value[0]] = figures.get(value[0], 0) + value[1]
    for what, count in sorted(figures.items()):
        terminalreporter.write_line(f"{what} tried: {count}")
