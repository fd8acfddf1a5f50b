"""The flash of a board that is new: an identity, roots, settings and an application, as `make flash` leaves them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tools import secrets
from tools.chips import CHIPS
from tools.errors import UserError
from tools.image import application, config, flash_image, identity, updates


def write(
    flash: Path,
    chip: str,
    cert: Path,
    *,
    cloud: Path | None = None,
    settings: Path | None = None,
    files: Path | None = None,
    keys: Sequence[Path] = (),
) -> None:
    """Makes the file `flash` for a `chip`; one that is there already is left alone. UserError.

    `cert` is the identity (as CERT= takes it), `cloud` the run directory of the cloud whose root the board trusts,
    `settings` a config.json, `files` the folder of an application in place of the one that the release has, `keys`
    those that releases over the air are checked with.
    """
    if flash.exists() and flash.stat().st_size:
        return
    root = cloud / "ca.der" if cloud else None
    if root and not root.is_file():
        raise UserError(f"no emulated cloud runs in {cloud}: there is no {root}")
    values = config.read(settings) if settings else {}
    config.check(values)
    image = flash_image.build(
        CHIPS[chip].board,
        identity.load(cert),
        roots=[root] if root else [],
        files={**(application.read(files).compiled() if files else {}), **updates.key_files(keys)},
        config=values,
    )
    secrets.write(flash, image)
