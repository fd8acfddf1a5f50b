"""The official Python SDK as a device that is upgraded: it reports, gets the push, asks, downloads by HTTPS.

`linkkit_driver.py` hands over a client and its `report`. The steps of
`progress` are published as they are: the SDK has no call for them.
"""

import json
import pathlib
import tempfile

FIELDS = ("kind", "version", "size", "url", "sign_method", "sign", "module", "extra")


def use(client, events, report, expect, job):
    client.on_ota_message_arrived = lambda *fields: events.put(("ota", *fields))
    client.connect_async()
    report("connect", rc=expect("connect")[1])
    report("reported", rc=client.ota_report_version("default", "1.0.0").value)
    report("wait", **{"for": "batch"})
    pushed = dict(zip(FIELDS, expect("ota")))
    report("pushed", **{name: pushed[name] for name in FIELDS if name != "url"})
    client.query_ota_firmware()
    asked = dict(zip(FIELDS, expect("ota")))
    report("asked", kind=asked["kind"], fresh=asked["url"] != pushed["url"])
    step(client, job, expect, "1")
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "package.bin")
        fields = (str(path), asked["sign_method"], asked["sign"])
        report(
            "downloaded",
            rc=client.download_ota_firmware(asked["url"], *fields).value,
            hex=path.read_bytes().hex(),
        )
        report("wait", **{"for": "expired"})
        report("expired", rc=client.download_ota_firmware(asked["url"], *fields).value)
    step(client, job, expect, "100")
    client.ota_report_version("default", asked["version"])
    client.disconnect()
    report("disconnect", rc=expect("disconnect")[0])


def step(client, job, expect, text):
    topic = f"/ota/device/progress/{job['product_key']}/{job['device_name']}"
    client.publish_topic(topic, json.dumps({"id": "1", "params": {"step": text, "desc": ""}}), 1)
    expect("published")
