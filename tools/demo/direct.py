"""Devices with a secret, direct.md: four kinds, each through a power cut, two refusals, and a board sold abroad.

The board sold abroad asks where to connect: it is burned for one centre and at home in another.
"""

from tools.demo.scene import Stage, text

PRODUCT_KEY = "a1DemoGauge"
FREE_KEY = "a1DemoFreed"
PRODUCT_SECRET, FREE_SECRET = text(16), text(16)
DEVICE_SECRET = text(32)
ABROAD_KEY, ABROAD_NAME = "a1DemoSmart", "smart-lamp"
ABROAD_SECRET = text(32)
BURNED_FOR, HOME = "ap-southeast-1", "eu-central-1"
MAC_NAME = "240ac4000001"  # a board without a burned DeviceName goes by its MAC

ABROAD_PRODUCT = {
    "product_key": ABROAD_KEY,
    "product_secret": text(16),
    "centre": HOME,
    "device": [{"device_name": ABROAD_NAME, "device_secret": ABROAD_SECRET}],
}
PRODUCTS = [
    {
        "product_key": PRODUCT_KEY,
        "product_secret": PRODUCT_SECRET,
        "dynamic_registration": True,
        "device": [
            {"device_name": "gauge-unique", "device_secret": DEVICE_SECRET},
            {"device_name": "gauge-https"},
            {"device_name": MAC_NAME},
        ],
    },
    {
        "product_key": FREE_KEY,
        "product_secret": FREE_SECRET,
        "dynamic_registration": True,
        "preregistration_free": True,
    },
]

PER_PRODUCT = {"product_key": PRODUCT_KEY, "product_secret": PRODUCT_SECRET}
# (scene, certificate, the device's name in the cloud)
SCENES = [
    (
        "unique certificate per device",
        {"product_key": PRODUCT_KEY, "device_name": "gauge-unique", "device_secret": DEVICE_SECRET},
        (PRODUCT_KEY, "gauge-unique"),
    ),
    (
        "per product, pre-registered, HTTPS",
        {**PER_PRODUCT, "device_name": "gauge-https", "method": "https"},
        (PRODUCT_KEY, "gauge-https"),
    ),
    ("per product, pre-registered, MQTT", {**PER_PRODUCT, "method": "mqtt"}, (PRODUCT_KEY, MAC_NAME)),
    (
        "per product, preregistration-free",
        {
            "product_key": FREE_KEY,
            "product_secret": FREE_SECRET,
            "device_name": "gauge-free",
            "method": "regnwl",
        },
        (FREE_KEY, "gauge-free"),
    ),
]
REFUSALS = [
    (
        "a wrong ProductSecret",
        {**PER_PRODUCT, "product_secret": text(16), "device_name": "gauge-https", "method": "https"},
    ),
    (
        "a device that is already activated, on a board that lost its flash",
        {**PER_PRODUCT, "device_name": "gauge-https", "method": "https"},
    ),
]
ABROAD = {
    "product_key": ABROAD_KEY,
    "device_name": ABROAD_NAME,
    "device_secret": ABROAD_SECRET,
    "instance": None,
    "region": BURNED_FOR,
    "auth": "https",
    "bootstrap": "region",
}


def play(stage: Stage) -> None:
    """The four kinds, and the refusals."""
    for number, (scene, certificate, name) in enumerate(SCENES, 1):
        stage.title(f"{number}. {scene}")
        board = stage.burn(certificate, f"scene{number}")
        stage.run(scene, board, "first", name)
        stage.run(scene, board, "second", name)
    for number, (scene, certificate) in enumerate(REFUSALS, 1):
        stage.title(f"Wrong {number}: {scene}")
        board = stage.burn(certificate, f"wrong{number}")
        board.start()
        refused = stage.until(board, "refused")
        stage.report("advice", refused["advice"])
        board.power_off()


def play_abroad(stage: Stage) -> None:
    """The board sold abroad: sent to the centre it is at home in, and there directly ever after."""
    stage.title(f"A board sold abroad: burned for {BURNED_FOR}, at home in {HOME}")
    board = stage.burn(ABROAD, "abroad", memory="1.26")  # 4 KB more than in the heap of 112 KB
    name = (ABROAD_KEY, ABROAD_NAME)
    stage.run("HTTPS authentication, sent on", board, "first", name, reached="kept")
    stage.run("HTTPS authentication, sent on", board, "second", name)
