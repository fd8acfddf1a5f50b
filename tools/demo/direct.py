"""Four kinds of devices with a secret, each from burned to online, through a power cut, and again; two refusals."""

from tools.demo.scene import Stage, text

PRODUCT_KEY = "a1DemoGauge"
FREE_KEY = "a1DemoFreed"
PRODUCT_SECRET, FREE_SECRET = text(16), text(16)
DEVICE_SECRET = text(32)
MAC_NAME = "240ac4000001"  # a board without a burned DeviceName goes by its MAC

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


def play(stage: Stage) -> None:
    """All scenes of this page."""
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
