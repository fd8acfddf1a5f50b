"""What all host tests share: how large their campaigns are, and the figures that these print at the end."""

import os

import hypothesis
import pytest

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
