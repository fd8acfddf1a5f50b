"""Boards whose application is updated by the platform: releases of them, signed, and campaigns that bring these."""

import json
import secrets
from dataclasses import replace

from host_tests.support.app_images import LAYOUT, app_image, in_slots
from host_tests.support.fleet import GENERATION, REGISTERED, Direct, mac_of, printed, until
from host_tests.support.packages import firmware_tree, key_files, signing_key
from tools.image import flash_image, nvs
from tools.ota import package
from tools.ota.manifest import Manifest

APPLICATION = """
import json
import aliot
from aliot.device import Device
from aliot.wifi import Wifi
import machine
def say(**what):
    print(json.dumps(what))
say(app="runs", name="{name}", tree=aliot.tree)
def main():
    {inside}
    device = Device({{"timeout": 15000}}, Wifi("boots", "password"))
    device.start()
    {prepare}
    from aliot.ota.updates import Updates
    updates = Updates(device, "1.0.0", {hooks})
    while True:
        {loop}
aliot.run(main)
"""
LOOP = "updates.poll(100)"
HEAP = "112K"
NEEDLESS = ("gateway", "id2", "x509", "bootstrap", "thing", "services", "registration")


def application(name, inside="pass", prepare="pass", hooks="", loop=LOOP):
    return APPLICATION.format(name=name, inside=inside, prepare=prepare, hooks=hooks, loop=loop)


class UpdateFleet(Direct):
    """Boards that take packages of `self.key`, and campaigns for one board each."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.key = signing_key(self.folder / "key")

    def release(self, number, without=NEEDLESS, firmware="", **more):
        """The package of release `number`.0.0; `more` is of its application, `firmware` comes with it."""
        tree = firmware_tree(without)
        head = Manifest(f"{number}.0.0", number, 6, 1, "1.24", (REGISTERED,))
        tree["main.py"] = self.inside(application(f"release {number}", **more)).encode()
        if firmware:
            head = replace(head, board="ESP32", firmware=firmware)
        image = app_image(firmware) if firmware else b""
        return package.pack(tree, head, image).signed(self.key).encode()

    def firmware(self, number, version):
        """The package of a firmware alone."""
        head = Manifest(version, number, 6, 1, "1.24", (REGISTERED,), "ESP32", firmware=version)
        return package.pack({}, head, app_image(version)).signed(self.key).encode()

    def updated(self, files=None, heap=HEAP, slots=None, many=False, **more):
        """A board of release 1.0.0, which a cable brought, that connects and reports it; `slots`: with two of them.

        A cable brought the firmware of that version into the first. `many`: of many boards, whose file system is made
        once: the board itself puts there what only NVS has.
        """
        files = {**key_files(self.key), **(files or {})}
        name = "240a" + secrets.token_hex(4)
        burned = self.identity("device", name, self.device(REGISTERED, name))
        layout = {"board": replace(LAYOUT, flash_size=0x200000)} if slots else {}
        program = self.inside(application("golden", **more))
        image = self.image(None if many else burned, program, files, **layout)
        image = with_record(image, burned) if many else image
        image = in_slots(image, [app_image(slots)]) if slots else image
        return self.add(image, REGISTERED, name, mac_of(name), heap=heap)

    def on(self, board):
        """Power on, and wait for the version."""
        board.start(follow=True)
        until(board, lambda: self.versions(board), 60)
        return board

    def versions(self, board):
        """The versions that a board has published, one after another."""
        return [json.loads(one["payload"])["params"]["version"] for one in self.came(board, "inform")]

    def steps(self, board):
        return [
            (int(one["step"]), one["desc"])
            for one in (json.loads(one["payload"])["params"] for one in self.came(board, "progress"))
        ]

    def came(self, board, kind):
        topic = f"/ota/device/{kind}/{board.product_key}/{board.device_name}"
        found = self.cloud.admin("GET", f"/messages?pk={board.product_key}&dn={board.device_name}")
        return [one for one in found if one["topic"] == topic]

    def package(self, data, version="2.0.0", method="SHA256", module=None):
        """The FirmwareId of a package in the console, which no batch has to verify."""
        named = {"ModuleName": module} if module else {}
        made = self.cloud.call(
            "CreateOTAFirmware",
            ProductKey=REGISTERED,
            FirmwareName=secrets.token_hex(8),
            DestVersion=version,
            FirmwareUrl=self.cloud.upload(data),
            SignMethod=method,
            NeedToVerify=False,
            **named,
        )
        return made["FirmwareId"]

    def batch(self, firmware, protocol="HTTPS", **more):
        """The JobId of a static batch."""
        return self.cloud.call(
            "CreateOTAStaticUpgradeJob",
            ProductKey=REGISTERED,
            FirmwareId=firmware,
            DownloadProtocol=protocol,
            **more,
        )["JobId"]

    def campaign(self, board, data, version="2.0.0", protocol="HTTPS", method="SHA256", module=None, **more):
        """A batch for one board; its JobId."""
        made = self.package(data, version, method, module)
        more |= {"TargetSelection": "SPECIFIC", "TargetDeviceName": [board.device_name]}
        return self.batch(made, protocol, **more)

    def task(self, job):
        [task] = self.cloud.call("ListOTATaskByJob", JobId=job)["List"]
        return task

    def ended(self, board, job, seconds=60):
        """The task once it has ended."""
        return until(
            board, lambda: (t := self.task(job))["TaskStatus"] in ("SUCCEEDED", "FAILED") and t, seconds
        )

    def downloads(self, board):
        """(Range, status, bytes) of each answer of the download server."""
        found = self.cloud.admin("GET", f"/log?event=download&dn={board.device_name}")
        return [(one["range"], one["code"], one["bytes"]) for one in found]


def with_record(image, burned):
    """A flash image with an Identity in its NVS, and nothing else there."""
    place = flash_image.layout_in(image).nvs
    entry = nvs.Entry(flash_image.NAMESPACE, flash_image.BURNED, "blob", burned.to_record(GENERATION))
    data = nvs.write([entry], place.size)
    return image[: place.offset] + data + image[place.end :]


def runs(board):
    return [line["name"] for line in printed(board, "runs")]


def said(board, state="update"):
    return [one for one in board.run.states if one["aliot"] == state]
