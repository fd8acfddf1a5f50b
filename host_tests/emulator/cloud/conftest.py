import asyncio
import contextlib
import json
from types import SimpleNamespace

import pytest

from host_tests.support.cloud import itls
from host_tests.support.cloud.centres import FRANKFURT, SHANGHAI, SINGAPORE
from host_tests.support.cloud.centres import world as world_settings
from host_tests.support.cloud.client import Running, connect_packet, settings
from host_tests.support.cloud.gateway import Gateway, gateway_settings
from host_tests.support.cloud.itls import ID2, KEY, OTHER
from host_tests.support.cloud.itls_platform import Platform
from host_tests.support.cloud.thing import DN, PK, World
from host_tests.support.cloud.x509 import Factory, x509_settings
from tools.emulator.cloud import cloud_api
from tools.emulator.cloud.admin import AdminApp
from tools.emulator.cloud.certificates import host_names, prepare
from tools.emulator.cloud.web import Request


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
        instance = chosen["instance"] if isinstance(chosen, dict) else {"region": None}
        shanghai = instance["region"] == "cn-shanghai" and "centres" not in instance
        return Running(chosen, tmp_path / "run", certificates if shanghai else None, tls13)

    return start


@pytest.fixture(scope="session")
def world_certificates(tmp_path_factory):
    """A folder with a CA and a server certificate for three centres."""
    folder = tmp_path_factory.mktemp("world_certificates")
    prepare(folder, host_names(SHANGHAI, SINGAPORE, FRANKFURT))
    return folder


@pytest.fixture
def centres(tmp_path, world_certificates):
    """`centres(**settings)` gives a cloud of three centres; a second call takes the same run directory."""

    def start(**changes):
        return Running(world_settings(**changes), tmp_path / "run", world_certificates)

    return start


@pytest.fixture(scope="module")
def three(tmp_path_factory, world_certificates):
    """One cloud of three centres with default switches, for tests that leave no trace."""
    with Running(world_settings(), tmp_path_factory.mktemp("three"), world_certificates) as running:
        yield running


@pytest.fixture(scope="module")
def cloud(tmp_path_factory, certificates):
    """One cloud with default switches for tests that use devices of their own."""
    with Running(
        settings(device=[{"device_name": f"dev_{n:04}"} for n in range(1, 200)]),
        tmp_path_factory.mktemp("cloud"),
        certificates,
    ) as running:
        yield running


@pytest.fixture
def platform(tmp_path):
    """`platform(switches, **product)` is a `Platform`; a second call takes the same state."""
    made = []

    def start(switches=None, **product):
        if made:
            made[-1].store.close()
        made.append(Platform(tmp_path, switches, **product))
        return made[-1]

    yield start
    made[-1].store.close()


@pytest.fixture
def maker(run, tmp_path):
    """`with maker(**settings) as factory:` is a `Factory` at a cloud with X.509 products."""

    @contextlib.contextmanager
    def start(**changes):
        with run(x509_settings(**changes)) as cloud:
            yield Factory(cloud, tmp_path)

    return start


@pytest.fixture
def factory(maker):
    """A `Factory` at a cloud with default switches."""
    with maker() as made:
        yield made


@pytest.fixture
def device(run):
    """`device(**settings)` gives (cloud, a connected client), closed at the end of the test."""
    opened = []

    def start(packet=None, where="mqtt_tcp", **changes):
        cloud = run(**changes).__enter__()
        client = cloud.mqtt(where)
        opened.append((client, cloud))
        return cloud, client.online(packet or connect_packet(mode="3"))

    yield start
    for client, cloud in opened:
        client.link.close()
        cloud.__exit__(None, None, None)


@pytest.fixture
def gateway(run):
    """`gateway(**settings)` gives a gateway that is online; its cloud is `gateway.cloud`."""
    opened = []

    def start(extra_keys=None, **changes):
        cloud = run(gateway_settings(**changes))
        cloud.__enter__()
        opened.append((Gateway(cloud, **({} if extra_keys is None else {"extra": extra_keys})), cloud))
        return opened[-1][0]

    yield start
    for client, cloud in opened:
        client.link.close()
        cloud.__exit__(None, None, None)


@pytest.fixture
def itls_run(run):
    """`itls_run(switches, **product)` gives a cloud with an ID2 product; a second one has the same state."""
    return lambda switches=None, **product: run(text=itls.settings(switches, **product))


@pytest.fixture(scope="module")
def shared(tmp_path_factory, certificates):
    with Running(
        itls.settings(identities=[{"id2": ID2, "id2_key": KEY}, OTHER]),
        tmp_path_factory.mktemp("id2"),
        certificates,
    ) as running:
        yield running


@pytest.fixture(scope="module")
def faulty(tmp_path_factory, certificates):
    """One cloud with an ID2 product for tests that arm faults; the key of its device is never logged."""
    chosen = itls.settings({"id2_fingerprint_again": "fresh", "id2_binding": "free"})
    with Running(chosen, tmp_path_factory.mktemp("faults"), certificates) as running:
        yield running
        assert KEY not in str(running.log())


@pytest.fixture
def armed(faulty):
    """That cloud; each fault that a test arms must have struck by its end."""
    yield faulty
    assert faulty.admin("GET", "/faults") == []


@pytest.fixture
def world(tmp_path):
    """`world(**settings)` is a `World`; a second call has the first one's state."""
    made = []

    def start(**settings):
        if made:
            made[-1].close()
        made.append(World(tmp_path / "run", **settings))
        return made[-1]

    yield start
    for one in made[-1:]:
        one.close()


@pytest.fixture
def call():
    """`call(world, name, **parameters)` is the JSON of one call of the cloud's API about its device."""

    def ask(world, name, **values):
        request = Request(
            "POST", "/", {}, {}, json.dumps({"ProductKey": PK, "DeviceName": DN, **values}).encode()
        )
        answer = asyncio.run(
            cloud_api.call(AdminApp(SimpleNamespace(instance=world.instance)), request, name)
        )
        return json.loads(answer.body)

    return ask
