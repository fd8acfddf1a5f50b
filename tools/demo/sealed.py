"""A secret that never leaves the chip, on an emulated ESP32-S3: burned on the line by espefuse, then a device that logs
in with it, and one that registers with its product's; the flash of both is looked through.
"""

from pathlib import Path

from tools.demo.scene import Stage, text
from tools.emulator.chip.thread import Bench
from tools.errors import UserError
from tools.image import identity
from tools.line import efuses, security

CHIP, BLOCK = "esp32s3", 3
PRODUCT_KEY = "a1DemoChips"
PRODUCT_SECRET, DEVICE_SECRET = text(16), text(32)
PRODUCTS = [
    {
        "product_key": PRODUCT_KEY,
        "product_secret": PRODUCT_SECRET,
        "dynamic_registration": True,
        "device": [
            {"device_name": "sealed-unique", "device_secret": DEVICE_SECRET},
            {"device_name": "sealed-https"},
        ],
    }
]
# (scene, what goes into the chip, what goes into flash beside the block)
SCENES = [
    (
        "unique certificate, secret in eFuse",
        {"device_name": "sealed-unique", "device_secret": DEVICE_SECRET},
        {"device_name": "sealed-unique"},
    ),
    (
        "per product, secret in eFuse, HTTPS",
        {"device_name": "sealed-https", "product_secret": PRODUCT_SECRET, "method": "https"},
        {"device_name": "sealed-https", "method": "https"},
    ),
]


def play(stage: Stage) -> None:
    """Both boards, each through a power cut."""
    for number, (scene, known, burned) in enumerate(SCENES, 1):
        stage.title(f"Sealed {number}: {scene}, on an ESP32-S3")
        own = {"product_key": PRODUCT_KEY}
        fuses = stage.folder / f"sealed{number}.efuses"
        board = stage.burn(
            {**own, **burned, "key_block": BLOCK},
            f"sealed{number}",
            chip=CHIP,
            efuses=fuses.read_bytes,
        )
        _seal(stage, board.flash, fuses, security.key_of(identity.parse({**own, **known})))
        name = (PRODUCT_KEY, known["device_name"])
        stage.run(scene, board, "first", name)
        secret = known.get("device_secret") or known["product_secret"]
        if secret.encode() in board.flash.read_bytes():
            raise UserError("the demo failed: the secret is in the board's flash")
        stage.report(
            "dump", f"{board.flash.stat().st_size >> 20} MB of flash read out: the secret is not in it"
        )
        stage.run(scene, board, "second", name)


def _seal(stage: Stage, flash: Path, fuses: Path, secret: bytes) -> None:
    """What `line security` does on a port: plan, burn, compare."""
    with Bench(flash, chip=CHIP, efuses=fuses) as bench:
        with efuses.Fuses(CHIP, port=bench.url) as chip:
            made = security.plan(CHIP, chip.mac, ["secret"], secret=secret, block=BLOCK)
            efuses.burn(chip, made, secret=secret)
        with efuses.Fuses(CHIP, port=bench.url) as chip:
            missing = efuses.verify(chip, made)
            readable = chip.holds(f"BLOCK_KEY{BLOCK}", secret)
    if missing or readable:
        raise UserError(f"the demo failed: {missing or 'the key can be read'}")
    stage.report(
        "efuse", f"espefuse, over the port: KEY{BLOCK} for HMAC_UP, protected against reading and writing"
    )
