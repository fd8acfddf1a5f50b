"""Settings for /config.json: Wi-Fi from a prompt, a file or the environment, never from an argument."""

import getpass
import json
import os
import sys

from tools.errors import UserError
from tools.image import config
from tools.image.config import PATH

SSID, PASSWORD = "ALIOT_WIFI_SSID", "ALIOT_WIFI_PASSWORD"


def given(path=None, prompt=False):
    """The settings that were given: a file's, over them the environment's, or a prompt's; {} for none."""
    settings = config.read(path) if path else {}
    if SSID in os.environ:
        settings.update(ssid=os.environ[SSID], password=os.environ.get(PASSWORD, ""))
    elif prompt:
        if not sys.stdin.isatty():
            raise UserError(
                f"there is no terminal to ask for the Wi-Fi: set {SSID} and {PASSWORD}, or say CONFIG=FILE"
            )
        settings.update(ssid=input("Wi-Fi name: "), password=getpass.getpass("Wi-Fi password: "))
    config.check(settings)
    return settings


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
