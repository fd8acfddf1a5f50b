"""A board sold abroad: burned for Singapore, sent to the centre it is at home in, and there directly ever after."""

from tools.demo.scene import Stage, text

BURNED_FOR, HOME = "ap-southeast-1", "eu-central-1"
PRODUCT_KEY, DEVICE_NAME = "a1DemoSmart", "smart-lamp"
DEVICE_SECRET = text(32)
SCENE = "HTTPS authentication, sent on"

PRODUCTS = [
    {
        "product_key": PRODUCT_KEY,
        "product_secret": text(16),
        "centre": HOME,
        "device": [{"device_name": DEVICE_NAME, "device_secret": DEVICE_SECRET}],
    }
]
BURNED = {
    "product_key": PRODUCT_KEY,
    "device_name": DEVICE_NAME,
    "device_secret": DEVICE_SECRET,
    "instance": None,
    "region": BURNED_FOR,
    "auth": "https",
    "bootstrap": "region",
}


def play(stage: Stage) -> None:
    """All scenes of this page."""
    stage.title(f"A board sold abroad: burned for {BURNED_FOR}, at home in {HOME}")
    board = stage.burn(BURNED, "abroad", memory="1.26")  # 4 KB more than in the heap of 112 KB
    name = (PRODUCT_KEY, DEVICE_NAME)
    stage.run(SCENE, board, "first", name, reached="kept")
    stage.run(SCENE, board, "second", name)
