"""A gateway: three sub-devices registered, attached, online, a property each; a power cut; online again."""

from tools.demo.scene import Stage, text
from tools.firmware import FOLDER

PRODUCT_KEY, SUB_KEY = "a1DemoGates", "a1DemoProbe"
DEVICE_SECRET, SUB_SECRET = text(32), text(16)
GATEWAY = "gate-1"
SUBDEVICES = ["probe-1", "probe-2", "probe-3"]
STAGES = {
    "sub_register": ("issued", "three DeviceSecrets, by one request through the gateway's session"),
    "topo_add": ("attached", "three sub-devices to this gateway, each signed with its own secret"),
    "sub_batch_login": ("online", "three sub-devices, by one login"),
}

PRODUCTS = [
    {
        "product_key": PRODUCT_KEY,
        "node": "gateway",
        "device": [{"device_name": GATEWAY, "device_secret": DEVICE_SECRET}],
    },
    {
        "product_key": SUB_KEY,
        "product_secret": SUB_SECRET,
        "node": "subdevice",
        "dynamic_registration": True,
        "device": [{"device_name": name} for name in SUBDEVICES],
    },
]


def play(stage: Stage) -> None:
    """The scene of this page: the application is firmware/examples/gateway.py."""
    stage.title("A gateway and three sub-devices")
    board = stage.burn(
        {
            "product_key": PRODUCT_KEY,
            "device_name": GATEWAY,
            "device_secret": DEVICE_SECRET,
            "sub_products": [{"product_key": SUB_KEY}],
        },
        "gateway",
        files={
            "/main.py": (FOLDER / "examples" / "gateway.py").read_bytes(),
            "/subdevices.txt": "".join(f"{SUB_KEY} {name}\n" for name in SUBDEVICES).encode(),
        },
        config={"spread": 0},
    )
    for boot in ("first", "second"):
        stage.run(
            "gateway, three sub-devices", board, boot, (PRODUCT_KEY, GATEWAY), lambda: _online(stage, board)
        )


def _online(stage, board):
    """Tell what the cloud was asked for, until each sub-device has posted a property."""
    for name in SUBDEVICES:
        stage.line(board, f'"posted", "subdevice": "{name}"')
    since = stage.cloud.admin("GET", f"/log?event=online&dn={GATEWAY}")[-1]["seq"]
    asked = stage.cloud.admin("GET", f"/log?event=gateway%20request&dn={GATEWAY}&after={since}")
    if not any(event["stage"] == "sub_register" for event in asked):
        stage.report("stored", "the three DeviceSecrets are in flash: none is registered again")
    for event in asked:
        if event["stage"] in STAGES:
            stage.report(*STAGES[event["stage"]])
    stage.report("posted", "a Temperature of each, on its own topic, through the gateway's one connection")
