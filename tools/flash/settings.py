"""Settings for /config.json: Wi-Fi from a prompt, a file or the environment, never from an argument."""

import getpass
import json
import os
import sys

from tools.errors import UserError
from tools.image.build import read_config

PATH = "/config.json"
SSID, PASSWORD = "ALIOT_WIFI_SSID", "ALIOT_WIFI_PASSWORD"


def given(path=None, prompt=False):
    """The settings that were given: a file's, over them the environment's, or a prompt's; {} for none."""
    settings = read_config(path) if path else {}
    if SSID in os.environ:
        settings.update(ssid=os.environ[SSID], password=os.environ.get(PASSWORD, ""))
    elif prompt:
        if not sys.stdin.isatty():
            raise UserError(
                f"there is no terminal to ask for the Wi-Fi: set {SSID} and {PASSWORD}, or say CONFIG=FILE"
            )
        settings.update(ssid=input("Wi-Fi name: "), password=getpass.getpass("Wi-Fi password: "))
    check(settings)
    return settings


def check(settings):
    """UserError for a Wi-Fi name or password that no access point can have, or an identity among settings."""
    ssid, password = settings.get("ssid"), settings.get("password", "")
    if ssid is not None and not (isinstance(ssid, str) and 1 <= len(ssid.encode()) <= 32):
        raise UserError("a Wi-Fi name has 1 to 32 bytes")
    if not isinstance(password, str) or password and not 8 <= len(password.encode()) <= 63:
        raise UserError("a Wi-Fi password has 8 to 63 characters, or none for an open network")
    for name in settings:
        if name in ("device_secret", "product_secret", "deviceSecret", "productSecret"):
            raise UserError(f"'{name}' does not belong into settings: an identity is burned ('make burn')")


def merged(old, settings):
    """config.json with `settings` in it; what is in `old` (bytes or None) stays. None: leave it alone."""
    if not settings:
        return None
    try:
        values = json.loads(old) if old else {}
        if not isinstance(values, dict):
            raise ValueError
    except ValueError:
        raise UserError(
            "config.json on the board is not a JSON object; take it off the board or repair it first"
        ) from None
    if {**values, **settings} == values:
        return old
    return json.dumps({**values, **settings}, indent=1).encode()
