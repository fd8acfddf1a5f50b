import hashlib
import json
import os
import shutil
import subprocess
import threading

import pytest

from host_tests.emulator.cloud.thing.test_raw import SCRIPT
from host_tests.support.clients import environment
from tools.emulator.cloud.process import Cloud

PK, PS, INSTANCE = "a1TESTpk001", "ProductSecret016", "iot-test01"
GATEWAY_PK, SUB_PK, SUB_PS = "a1GatewayPk", "a1SubDevPk1", "SubProductSec016"
X509_PK = "a1X509ProdK"
THING_PK, RAW_PK = "a1ThingProd", "a1RawDataPk"
SECONDS = 120  # for one driver; a bound, never a pace


@pytest.fixture(scope="module")
def cloud(tmp_path_factory):
    """An Enterprise instance in Shanghai, where every way in exists."""
    config = {
        "instance": {"kind": "enterprise", "id": INSTANCE},
        "product": [
            {
                "product_key": PK,
                "product_secret": PS,
                "dynamic_registration": True,
                "preregistration_free": True,
            },
            {"product_key": GATEWAY_PK, "node": "gateway"},
            {"product_key": X509_PK, "auth": "x509"},
            {"product_key": THING_PK},
            {"product_key": RAW_PK, "script": "script.py"},
            {
                "product_key": SUB_PK,
                "product_secret": SUB_PS,
                "node": "subdevice",
                "dynamic_registration": True,
            },
        ],
    }
    folder = tmp_path_factory.mktemp("cloud")
    (folder / "script.py").write_text(SCRIPT)
    with Cloud(config, folder) as running:
        yield running


@pytest.fixture
def device(cloud, request):
    """A fresh device of its own for each test, as the console shows it with its secret."""
    name = "d" + hashlib.sha256(request.node.name.encode()).hexdigest()[:12]
    cloud.admin("POST", f"/products/{PK}/devices", {"device_names": [name]})
    return cloud.device(PK, name, secret=True)


@pytest.fixture
def gateway(cloud, request):
    """What a driver needs as a gateway: one of its own, and two sub-devices that exist."""
    name = hashlib.sha256(request.node.name.encode()).hexdigest()[:12]
    subdevices = [f"{name}-{number}" for number in (1, 2)]
    cloud.admin("POST", f"/products/{GATEWAY_PK}/devices", {"device_names": [name]})
    cloud.admin("POST", f"/products/{SUB_PK}/devices", {"device_names": subdevices})
    secret = cloud.device(GATEWAY_PK, name, secret=True)["device_secret"]
    return {
        "product_key": GATEWAY_PK,
        "device_name": name,
        "device_secret": secret,
        "product_secret": "",
        "instance_id": INSTANCE,
        "subdevice_product": SUB_PK,
        "subdevice_product_secret": SUB_PS,
        "subdevices": subdevices,
    }


class Driver:
    """Runs a driver script of this folder, which uses the SDK as a person would.

    The job goes in as JSON on standard input; each event comes back as a line
    of JSON. When a driver says that it waits for something, `on` has what the
    cloud then does.
    """

    def __init__(self, cloud, command, **environment_):
        self.cloud, self.command, self.environment = cloud, command, environment_

    def __call__(self, scenario, on=None, **settings):
        job = {"scenario": scenario, "ports": self.cloud.ports, "product_key": PK, **settings}
        process = subprocess.Popen(
            self.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment.plain_environment(**self.environment),
        )
        timer = threading.Timer(SECONDS, process.kill)
        timer.start()
        try:
            process.stdin.write(json.dumps(job))
            process.stdin.close()
            events = list(self.events(process, on or {}))
            problem = process.stderr.read()
            assert process.wait() == 0, f"{events}\n{problem[-4000:]}"
            return events
        finally:
            timer.cancel()
            process.kill()
            process.wait()
            process.stdout.close()
            process.stderr.close()

    def events(self, process, on):
        for line in process.stdout:
            if line.startswith("{"):
                event = json.loads(line)
                if event["event"] == "wait":
                    on[event["for"]]()
                else:
                    yield event


@pytest.fixture(scope="session")
def python_sdk():
    return environment.python()


@pytest.fixture
def linkkit(cloud, python_sdk):
    """Drives the official Python SDK."""
    return Driver(
        cloud, [str(python_sdk), str(environment.HERE / "linkkit_driver.py")], CLOUD_CA=str(cloud.ca_pem)
    )


@pytest.fixture(scope="session")
def node_sdk():
    if not (shutil.which("node") and shutil.which("npm")):
        assert not os.environ.get("CI"), "node and npm are missing where they must not be"
        pytest.skip("node and npm are not installed")
    return environment.node()


@pytest.fixture
def node(cloud, node_sdk):
    """Drives the official Node SDK."""
    return Driver(
        cloud,
        ["node", str(environment.HERE / "node_driver.js")],
        SDK_ROOT=str(node_sdk),
        NODE_EXTRA_CA_CERTS=str(cloud.ca_pem),
    )
