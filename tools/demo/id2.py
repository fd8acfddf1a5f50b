"""ID² over iTLS: a board with a burned identity, and one that asks for its identity at the first connect."""

import secrets

from tools.demo.scene import INSTANCE, Stage, text

PRODUCT_KEY, EMPTY_KEY = "a1DemoIdent", "a1DemoEmpty"
IDENTITY = {"id2": secrets.token_hex(12).upper(), "id2_key": secrets.token_hex(16), "id2_type": "AES_128"}
TOKEN = "i11" + text(29)  # the product's provisioning token
HOST = INSTANCE + ".itls.cn-shanghai.aliyuncs.com"  # of an instance the console shows it

PRODUCTS = [
    {"product_key": PRODUCT_KEY, "auth": "id2", "identity": [IDENTITY]},
    {"product_key": EMPTY_KEY, "auth": "id2", "product_secret": TOKEN},
]
SCENES = [
    ("ID² over iTLS, identity burned", PRODUCT_KEY, "gauge-id2", IDENTITY),
    ("ID² over iTLS, provisioned", EMPTY_KEY, "gauge-empty", {"product_secret": TOKEN}),
]


def play(stage: Stage) -> None:
    """Both scenes of this page."""
    for number, (scene, product_key, name, fields) in enumerate(SCENES, 1):
        stage.title(f"ID² {number}. {scene}")
        certificate = {"way": "id2", "product_key": product_key, "device_name": name, **fields}
        board = stage.burn({**certificate, "host": HOST}, f"id2-{number}", heap="124K")
        for boot in ("first", "second"):
            stage.run(scene, board, boot, (product_key, name))
