"""Updates over the air: a release whose download a power cut interrupts, and a bad one that the board takes back."""

import json
import time
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa

from tools.demo.scene import PATIENCE, Stage, text
from tools.errors import UserError
from tools.firmware import FOLDER
from tools.image import device_files, updates
from tools.ota import package
from tools.ota.manifest import Manifest

PRODUCT_KEY, DEVICE_NAME = "a1DemoOta", "pump"
DEVICE_SECRET = text(32)
PRODUCTS = [
    {"product_key": PRODUCT_KEY, "device": [{"device_name": DEVICE_NAME, "device_secret": DEVICE_SECRET}]}
]
WIFI = {"ssid": "demo", "password": text(12)}
NEEDLESS = ("gateway", "id2", "x509", "bootstrap", "thing", "services", "registration")
MIDDLE = 40  # per cent of the download, at which the power goes


def play(stage: Stage) -> None:
    """The scene of this page: the application is firmware/examples/updates.py."""
    stage.title("Releases over the air: a power cut in the middle, and a bad one")
    key = rsa.generate_private_key(updates.EXPONENT, 2048)
    board = stage.burn(
        {"product_key": PRODUCT_KEY, "device_name": DEVICE_NAME, "device_secret": DEVICE_SECRET},
        "pump",
        files={
            "/main.py": _application(),
            updates.KEYS + updates.key_id(key.public_key()): updates.modulus(key.public_key()),
        },
        config=WIFI,
        memory="1.26",
    )
    board.access_point(WIFI["ssid"], WIFI["password"])
    stage.report("power", "on: release 1.0.0, which a cable brought")
    board.start(follow=True)
    stage.until(board, "connected")
    _published(stage, "1.0.0")
    _good(stage, board, key)
    _bad(stage, board, key)
    board.power_off()


def _good(stage, board, key):
    job = _campaign(stage, _release(key, 2), "2.0.0")
    _until(stage, board, "download")
    _until_per_cent(stage, MIDDLE)
    board.power_off()
    stage.report("power", f"cut, without warning, at {max(_steps(stage))} % of the download")
    stage.report("power", "on again")
    before = len(_downloads(stage))
    board.start(follow=True)
    _until(stage, board, "good")
    asked = [one["range"] for one in _downloads(stage)[before:]]
    stage.report(
        "resumed", f"it has asked for {' and '.join(asked)}: its head, and what was not in flash yet"
    )
    stage.report("campaign", f"release 2.0.0: {_ended(stage, job)}")


def _bad(stage, board, key):
    job = _campaign(stage, _release(key, 3, b"    raise ValueError('no such pump')\n"), "3.0.0")
    _until(stage, board, "reset")
    stage.line(board, "ValueError")
    stage.report("error", "release 3.0.0 ends with a ValueError before it has connected")
    status = _ended(stage, job)
    stage.report("campaign", f"release 3.0.0: {status}; the board runs 2.0.0 again")
    if set(_published(stage, "2.0.0")) != {"1.0.0", "2.0.0"}:
        raise UserError("the demo failed: the board has published a release that is not good")


def _application(program=b""):
    begin = b"def main():\n"
    return (FOLDER / "examples" / "updates.py").read_bytes().replace(begin, begin + program)


def _release(key, number, program=b""):
    """The package of release `number`.0.0, signed; `program` is what its main() begins with."""
    tree = {path[1:]: data for path, data in device_files.compile_tree().items() if path != "/boot.py"}
    tree = {
        path: data for path, data in tree.items() if path.split("/")[1:2] not in [[one] for one in NEEDLESS]
    }
    tree["main.py"] = _application(program)
    head = Manifest(f"{number}.0.0", number, package.mpy_version(tree), 1, "1.24", (PRODUCT_KEY,))
    return package.pack(tree, head).signed(key).encode()


def _campaign(stage, data, version):
    """A batch for the board; its JobId."""
    made = stage.cloud.call(
        "CreateOTAFirmware",
        ProductKey=PRODUCT_KEY,
        FirmwareName=version,
        DestVersion=version,
        FirmwareUrl=stage.cloud.upload(data),
        SignMethod="SHA256",
        NeedToVerify=False,
    )
    stage.report(
        "campaign", f"a package of release {version}, {len(data) // 1024} KB, signed; a batch of one device"
    )
    return stage.cloud.call(
        "CreateOTAStaticUpgradeJob",
        ProductKey=PRODUCT_KEY,
        FirmwareId=made["FirmwareId"],
        TargetSelection="SPECIFIC",
        TargetDeviceName=[DEVICE_NAME],
    )["JobId"]


def _until(stage, board, state):
    """Tell what the board does until its update has that state."""
    while stage.until(board, "update").get("state") != state:
        pass


def _until_per_cent(stage, step):
    ends = time.monotonic() + PATIENCE
    while max(_steps(stage), default=0) < step:
        if time.monotonic() > ends:
            raise UserError(f"the demo failed: the download has not come to {step} % in {PATIENCE} seconds")
        stage.pause()


def _ended(stage, job):
    """What the platform says of the device's task once that has ended."""
    ends = time.monotonic() + PATIENCE
    while time.monotonic() < ends:
        [task] = stage.cloud.call("ListOTATaskByJob", JobId=job)["List"]
        if task["TaskStatus"] in ("SUCCEEDED", "FAILED"):
            return " ".join(filter(None, (task["TaskStatus"], task.get("TaskDesc"))))
        stage.pause()
    raise UserError(f"the demo failed: the task of the device has not ended in {PATIENCE} seconds")


def _published(stage, version):
    """The versions that the board has published; waits for that one to be the last."""
    ends = time.monotonic() + PATIENCE
    while time.monotonic() < ends:
        found = [params["version"] for params in _messages(stage, "inform")]
        if found and found[-1] == version:
            return found
        stage.pause()
    raise UserError(f"the demo failed: the board has not published {version} in {PATIENCE} seconds")


def _steps(stage):
    return [int(params["step"]) for params in _messages(stage, "progress")]


def _messages(stage, kind) -> list[dict[str, Any]]:
    topic = f"/ota/device/{kind}/{PRODUCT_KEY}/{DEVICE_NAME}"
    found = stage.cloud.admin("GET", f"/messages?pk={PRODUCT_KEY}&dn={DEVICE_NAME}")
    return [json.loads(one["payload"])["params"] for one in found if one["topic"] == topic]


def _downloads(stage):
    return stage.cloud.admin("GET", f"/log?event=download&dn={DEVICE_NAME}")
