"""config.json: the settings of a board, Wi-Fi and endpoint; never an identity."""

import json
from pathlib import Path

from tools.errors import UserError
from tools.image.identity import endpoint

PATH = "/config.json"
_IDENTITY = ("device_secret", "product_secret", "id2_key", "private_key", "sub_products")


def read(path):
    """The dict of a config.json file; UserError when it is not one that a board takes."""
    try:
        settings = json.loads(Path(path).read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise UserError(f"{path} is not JSON") from None
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    if not isinstance(settings, dict):
        raise UserError(f"{path} is not a JSON object")
    try:
        check(settings)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    return settings


def check(settings):
    """UserError for a Wi-Fi name or password that no access point can have, a wrong endpoint, or an identity."""
    ssid, password = settings.get("ssid"), settings.get("password", "")
    if ssid is not None and not (isinstance(ssid, str) and 1 <= _size(ssid) <= 32):
        raise UserError("a Wi-Fi name has 1 to 32 bytes")
    if not isinstance(password, str) or password and not 8 <= _size(password) <= 63:
        raise UserError("a Wi-Fi password has 8 to 63 characters, or none for an open network")
    for name in settings:
        if name in _IDENTITY or name in ("deviceSecret", "productSecret"):
            raise UserError(f"'{name}' does not belong into settings: an identity is burned ('make burn')")
    if settings.get("endpoint") is not None:
        endpoint.check_settings(settings["endpoint"])


def _size(text):
    return len(text.encode("utf-8", "surrogatepass"))
