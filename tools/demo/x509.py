"""X.509: a private CA, a certificate for a board that knows neither ProductKey nor DeviceName, and its first boot."""

import secrets

from tools.ca import association, authority, issue
from tools.certificates import pem
from tools.demo.scene import Stage

PRODUCT_KEY, DEVICE_NAME, CA_NAME = "a1DemoX509K", "gauge-x509", "Demo_CA"
SCENE = "X.509, a private CA"

PRODUCTS = [{"product_key": PRODUCT_KEY, "auth": "x509", "device": [{"device_name": DEVICE_NAME}]}]


def play(stage: Stage) -> None:
    """The scene of this page."""
    stage.title("X.509: a private CA, a certificate per board")
    made = certificate(stage)
    stem = stage.folder / "x509-board"
    assert made.key_pem is not None  # the key was made here, not by a CSR's owner
    stem.with_suffix(".cer").write_bytes(made.certificate_pem)
    stem.with_suffix(".key").write_bytes(made.key_pem)
    board = stage.burn({"certificate": f"{stem.name}.cer", "private_key": f"{stem.name}.key"}, "x509")
    name = (PRODUCT_KEY, DEVICE_NAME)
    stage.run(SCENE, board, "first", name)
    stage.run(SCENE, board, "second", name)


def certificate(stage: Stage) -> issue.Issued:
    """Make a CA, register it as in the console, issue and associate; says each step. Returns the `Issued`."""
    folder, secret = stage.folder / "x509-ca", secrets.token_bytes(16)
    authority.create(folder, CA_NAME, secret)
    ca = authority.Authority(folder).unlock(secret)
    stage.report("ca", f"{CA_NAME}: RSA 2048, serial {ca.serial}, its key encrypted on disk")
    code = stage.cloud.admin("GET", "/registration_code")["code"]
    stage.cloud.admin(
        "POST",
        "/cas",
        {
            "name": CA_NAME,
            "certificate": (folder / "ca.cer").read_text(),
            "verification": pem("CERTIFICATE", ca.verification(code)).decode(),
        },
    )
    stage.report("console", f"{CA_NAME} registered, proved with a certificate for the code {code[:8]}...")
    made = issue.issue(ca, PRODUCT_KEY, DEVICE_NAME)
    stage.report("issue", f"a certificate for {DEVICE_NAME}: serial {made.serial}")
    piece = association.Piece(PRODUCT_KEY, 1, ((PRODUCT_KEY, DEVICE_NAME, made.serial),))
    stage.cloud.admin("POST", f"/cas/{CA_NAME}/association", {"csv": association.render(piece).decode()})
    stage.report("console", "association file uploaded: 1 row")
    return made
