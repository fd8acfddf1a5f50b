import pytest

from host_tests.cloud.harness import Running, settings
from tools.emulator.cloud.certificates import host_names, prepare


@pytest.fixture(scope="session")
def certificates(tmp_path_factory):
    """A folder with a CA and a server certificate for cn-shanghai."""
    folder = tmp_path_factory.mktemp("certificates")
    prepare(folder, host_names("cn-shanghai"))
    return folder


@pytest.fixture
def run(tmp_path, certificates):
    """`run(**settings)` gives a cloud to use in `with`; a second call takes the same run directory."""
    def start(text=None, tls13=False, **changes):
        chosen = settings(**changes) if text is None else text
        shanghai = isinstance(chosen, dict) and chosen["instance"]["region"] == "cn-shanghai"
        return Running(chosen, tmp_path / "run", certificates if shanghai else None, tls13)
    return start


@pytest.fixture(scope="module")
def cloud(tmp_path_factory, certificates):
    """One cloud with default switches for tests that use devices of their own."""
    with Running(settings(device=[{"device_name": f"dev_{n:04}"} for n in range(1, 200)]),
                 tmp_path_factory.mktemp("cloud"), certificates) as running:
        yield running
