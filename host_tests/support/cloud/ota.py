"""A product with devices that are upgraded, at a platform without sockets, and the cloud's calls on it."""

import asyncio
import itertools
import json
from types import SimpleNamespace

from host_tests.support.cloud.asker import START, Asker, platform
from tools.emulator.cloud import cloud_api
from tools.emulator.cloud.admin import AdminApp
from tools.emulator.cloud.web import Request

PK, OTHER_PK = "a1OTAprod01", "a1OTAprod02"
NAMES = tuple(f"ota_{number:04}" for number in range(1, 6))
DN = NAMES[0]
FILE = bytes(range(256)) * 8
UPGRADE = "/ota/device/upgrade/{}/{}"
GET = "thing/ota/firmware/get"


def ota_settings(switches=None, limits=None, timing=None, kind="enterprise", **product):
    """A cloud.toml with a product of five devices."""
    return {
        "instance": {"kind": kind, **({"id": "iot-ota01"} if kind == "enterprise" else {})},
        "product": [
            {"product_key": PK, **product, "device": [{"device_name": name} for name in NAMES]},
            {"product_key": OTHER_PK, "device": [{"device_name": DN}]},
        ],
        "switches": switches or {},
        "limits": limits or {},
        "timing": timing or {},
    }


class Device(Asker):
    """A device that is online; what it publishes on the topics of OTA."""

    def inform(self, version, module=None, **more):
        params = {"version": version, **({"module": module} if module else {})}
        self.publish(self.of("inform"), json.dumps({"id": "1", "params": params, **more}).encode())
        return self

    def step(self, step, desc="", **more):
        body = {"id": "2", "params": {"step": step, "desc": desc, **more}}
        self.publish(self.of("progress"), json.dumps(body).encode())

    def of(self, kind):
        return f"/ota/device/{kind}/{'/'.join(self.key)}"

    def pushes(self):
        """The JSON of each push that came."""
        topic = UPGRADE.format(*self.key)
        return [json.loads(packet.payload) for packet in self.came if packet.topic == topic]

    def get(self, module=None):
        """The data of a firmware/get_reply."""
        return self.ask(GET, {"module": module} if module else {})["data"]


class Campaign:
    """A platform whose clock stands until `later`; `call` and `api` are the cloud's calls."""

    def __init__(self, folder, now=START, **settings):
        folder.mkdir(exist_ok=True)
        self.folder, self.now, self.settings = folder, now, settings
        self.numbers = itertools.count(1)
        self.devices = {}
        self.open()

    def open(self):
        self.instance = platform(self.folder, ota_settings(**self.settings), lambda: self.now)
        self.app = AdminApp(SimpleNamespace(instance=self.instance))

    def restart(self):
        """Another process takes over the run directory; every device is offline."""
        self.instance.store.close()
        self.devices.clear()
        self.open()

    def close(self):
        self.instance.store.close()

    # ---- time and devices

    def later(self, seconds=0.0, minutes=0.0):
        self.now += seconds + 60 * minutes
        self.instance.ota.campaigns.tick()

    def online(self, name=DN, version=None, pk=PK, system=True):
        """Connects a device, which then reports a version if one is named."""
        device = self.devices[name] = Device(self.instance, pk, name)
        device.session.system = system
        self.instance.registry.activate(self.instance.registry.find(pk, name), self.now)
        self.instance.sessions.resume(device.session)
        if version is not None:
            device.inform(version)
        return device

    def offline(self, name=DN):
        self.instance.sessions.close(self.devices[name].session)

    # ---- the cloud's calls

    def call(self, action, **values):
        """The answer of a call, envelope and all."""
        request = Request("POST", "/", {}, {}, json.dumps({"ProductKey": PK, **values}).encode())
        return json.loads(asyncio.run(cloud_api.call(self.app, request, action)).body)

    def api(self, action, **values):
        """`Data` of a call that succeeds."""
        answer = self.call(action, **values)
        assert answer["Success"], answer
        return answer["Data"]

    def upload(self, data=FILE, suffix="bin"):
        """Uploads a file; its FirmwareUrl."""
        given = self.api("GenerateOTAUploadURL", FileSuffix=suffix)
        self.instance.ota.packages.upload(given["Key"], data)
        return given["FirmwareUrl"]

    def package(self, version="2.0.0", data=FILE, **more):
        """A package that needs no verification; its FirmwareId."""
        values = {"FirmwareName": f"package {next(self.numbers)}", "DestVersion": version}
        values |= {"FirmwareUrl": self.upload(data), "NeedToVerify": False, **more}
        return self.api("CreateOTAFirmware", **values)["FirmwareId"]

    def static(self, firmware=None, **more):
        """A static batch; its JobId."""
        values = {"FirmwareId": firmware or self.package(), **more}
        return self.api("CreateOTAStaticUpgradeJob", **values)["JobId"]

    def dynamic(self, firmware=None, **more):
        values = {"FirmwareId": firmware or self.package(), "SrcVersion": ["1.0.0"], **more}
        return self.api("CreateOTADynamicUpgradeJob", **values)["JobId"]

    def tasks(self, job):
        """{DeviceName: task as ListOTATaskByJob shows it}."""
        return {one["DeviceName"]: one for one in self.api("ListOTATaskByJob", JobId=job)["List"]}

    def status(self, job, name=DN):
        return self.tasks(job)[name]["TaskStatus"]

    def job_status(self, job):
        return self.api("QueryOTAJob", JobId=job)["JobStatus"]

    def messages(self, tail, name=DN):
        topic = f"/{PK}/{name}/{tail}"
        return [one["body"] for one in self.instance.server_messages.after(0, topic)]
