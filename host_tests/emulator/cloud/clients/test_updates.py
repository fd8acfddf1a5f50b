"""The official Python SDK updates itself over HTTPS: its own report, download and check of the digest."""

import hashlib

from host_tests.emulator.cloud.clients.conftest import INSTANCE, PK

FILE = bytes(range(256)) * 200


def test_the_python_sdk_downloads_a_package_and_reports_the_new_version(cloud, device, linkkit):
    dn, made = device["device_name"], {}

    def batch():
        firmware = cloud.call(
            "CreateOTAFirmware",
            ProductKey=PK,
            FirmwareName=dn,
            DestVersion="2.0.0",
            FirmwareUrl=cloud.upload(FILE),
            NeedToVerify=False,
            Udi="a text",
        )
        values = {"TargetSelection": "SPECIFIC", "TargetDeviceName": [dn], "TimeoutInMinutes": 1440}
        values |= {"FirmwareId": firmware["FirmwareId"]}
        made["job"] = cloud.call("CreateOTAStaticUpgradeJob", ProductKey=PK, **values)["JobId"]

    events = linkkit(
        "ota",
        device_name=dn,
        device_secret=device["device_secret"],
        product_secret="",
        instance_id=INSTANCE,
        on={
            "batch": batch,
            "expired": lambda: cloud.arm({"where": "https", "when": "download", "kind": "expired"}),
        },
    )
    events = {event["event"]: event for event in events}
    digest = hashlib.md5(FILE).hexdigest()
    assert events["pushed"] == {
        "event": "pushed",
        "kind": 1,
        "version": "2.0.0",
        "size": len(FILE),
        "sign_method": "Md5",
        "sign": digest,
        "module": "default",
        "extra": "{'_package_udi': 'a text'}",
    }
    assert (events["asked"]["kind"], events["asked"]["fresh"]) == (2, True)
    assert events["downloaded"]["rc"] == 0 and bytes.fromhex(events["downloaded"]["hex"]) == FILE
    assert events["expired"]["rc"] == -0x406, "OTA_INVALID_URL"
    (report,) = cloud.admin("GET", f"/server_messages?topic=/{PK}/{dn}/ota/upgrade&wait=20")
    assert report["body"]["status"] == "SUCCEEDED"
    (task,) = cloud.call("ListOTATaskByJob", JobId=made["job"])["List"]
    assert (task["TaskStatus"], task["Progress"], task["SrcVersion"]) == ("SUCCEEDED", "100", "1.0.0")
    codes = [one["code"] for one in cloud.admin("GET", f"/log?event=download&dn={dn}")]
    assert codes == [200, 403]
