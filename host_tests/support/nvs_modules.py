"""The NVS modules of the emulated board, and how long a campaign is.

They are loaded one by one: their folder also holds the chip's `socket` and
`errno`, which must not come before Python's own here.
"""

import importlib.util
import os
import sys

from host_tests.support.paths import ROOT

_SHARED = ROOT / "tools" / "emulator" / "board" / "port" / "shared"


def _load(name):
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, _SHARED / f"{name}.py")
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


nvs_page, nvs, nvs_boot = [_load(name) for name in ("nvs_page", "nvs", "nvs_boot")]


def campaign(count):
    """A number of examples, scaled by ALIOT_CAMPAIGN."""
    return max(1, int(count * float(os.environ.get("ALIOT_CAMPAIGN", "1"))))
