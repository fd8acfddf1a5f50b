"""An emulated cloud beside an emulated board, and an identity for it, for people who want to play."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tools.emulator.cloud.process import Cloud, CloudError
from tools.errors import UserError
from tools.image import tsl
from tools.secrets import write as write_private

REGION = "cn-shanghai"


@dataclass(frozen=True)
class Playground:
    """Where things lie: the cloud's run directory, its root certificate, the identity, the settings, an application.

    `console` is the address that opens the cloud's console, once; None without one.
    """

    cloud: Path
    root: Path
    cert: Path
    config: Path
    files: Path | None = None
    console: str | None = None

    def describe(self, url: str) -> Iterator[str]:
        """What to type in another shell."""
        yield "in another shell:"
        files = f" FILES={self.files}" if self.files else ""
        yield f"  make flash PORT={url} ROOT={self.root} CERT={self.cert} CONFIG={self.config}{files}"
        yield f"  make repl PORT={url}"
        if self.console:
            yield f"the cloud's console for a browser of this machine (the address opens it once): {self.console}"


@contextmanager
def open_at(
    folder: str | Path, mac: str, files: str | Path | None = None, console: bool = False
) -> Iterator[Playground]:
    """Run a cloud in `folder` that knows one product with dynamic registration; its secrets are made here.

    The product has the model of the application in the folder `files`, if there is one. With `console`
    the cloud has one, and its admin API asks for the token of ready.json. UserError when something is wrong.
    """
    folder = Path(folder)
    model = _model(Path(files)) if files else None
    (folder / "cloud").mkdir(parents=True, exist_ok=True)
    cert = folder / "cert.json"
    if not cert.exists():
        identity = {
            "product_key": "a1" + secrets.token_hex(5)[:9],
            "product_secret": secrets.token_hex(8),
            "region": REGION,
            "method": "https",
        }
        write_private(cert, json.dumps(identity, indent=1))
    config = folder / "config.json"
    if not config.exists():
        write_private(config, json.dumps({"ssid": "emulated", "every": 60}, indent=1))
    identity = json.loads(cert.read_text())
    cloud = Cloud(
        {
            "instance": {"kind": "public", "region": REGION},
            "product": [
                {
                    "product_key": identity["product_key"],
                    "product_secret": identity["product_secret"],
                    "auth": "secret",
                    "node": "direct",
                    "dynamic_registration": True,
                    "preregistration_free": False,
                    "device": [{"device_name": mac.replace(":", "").lower()}],
                    **({"tsl": str(model)} if model else {}),
                }
            ],
        },
        folder / "cloud",
        console=console,
    )
    try:
        with cloud:
            application = Path(files) if files else None
            yield Playground(
                cloud.run_dir, folder / "cloud" / "ca.der", cert, config, application, cloud.console_address
            )
    except CloudError as error:
        if "another cloud is running" in str(error):
            raise UserError(
                f"another 'make board' is running in {folder}: use that one, or end it with Ctrl-C; for a second one "
                "beside it say make board ARGS='--play build/two --flash build/two/flash.bin --efuses "
                "build/two/efuses.bin --listen 127.0.0.1:0'"
            ) from None
        raise UserError(f"the emulated cloud does not start: {error}") from None


def _model(files: Path) -> Path | None:
    if not files.is_dir():
        raise UserError(f"{files} is no folder: FILES= (--files) is the folder of an application")
    return tsl.path_in(files)
