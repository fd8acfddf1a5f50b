"""The chip's `network`: one station that joins the emulated access point.

The file that the setting "air" names is the access point: its name in the first
line, its password in the second; an empty or missing file is one out of reach.
Without the setting there is one that takes any name and password.
"""

import _chip
import machine

STA_IF = 0
AP_IF = 1
STAT_IDLE = 1000
STAT_CONNECTING = 1001
STAT_GOT_IP = 1010
STAT_NO_AP_FOUND = 201
STAT_WRONG_PASSWORD = 202

_name = "mpy-esp32"


def hostname(name=None):
    """The name that DHCP sees."""
    global _name
    if name is None:
        return _name
    if len(name) > 32:
        raise ValueError
    _name = name


def country(code=None):
    return "XX"


class WLAN:
    """The one station; it tries to join for ever, as the chip's driver does."""

    IF_STA = 0
    IF_AP = 1
    PM_NONE = 0
    PM_PERFORMANCE = 1
    PM_POWERSAVE = 2

    def __new__(cls, interface=STA_IF):
        if interface != STA_IF:
            raise ValueError("this board has no access point of its own")
        if _chip.wlan is None:
            _chip.wlan = super().__new__(cls)
            _chip.wlan._start()
        return _chip.wlan

    def _start(self):
        self._active = False
        self._wanted = None
        joined = _chip.settings.get("joined")
        if joined and _chip.size(joined) > 0:  # after a soft reset the driver is still joined
            self._active = True
            with _chip.open(joined) as file:
                self._wanted = file.read()

    def active(self, flag=None):
        if flag is None:
            return self._active
        self._active = bool(flag)
        if not flag:
            self._wanted = None
        return self._active

    def connect(self, name=None, key=None, **_):
        if not self._active:
            raise OSError("Wifi Not Started")
        if key and len(key) < 8:
            raise OSError("Wifi Internal Error")
        if name is not None:
            name = name.encode() if isinstance(name, str) else name
            self._wanted = name + b"\n" + (key or "").encode() + b"\n"
        if "joined" in _chip.settings:
            with _chip.open(_chip.settings["joined"], "wb") as file:
                file.write(self._wanted)

    def disconnect(self):
        if not self._active:
            raise OSError("Wifi Not Started")
        self._wanted = None

    def isconnected(self):
        return self.status() == STAT_GOT_IP

    def status(self, what=None):
        if what == "rssi":
            return -60
        if not self._active or self._wanted is None:
            return STAT_IDLE
        if "air" not in _chip.settings:
            return STAT_GOT_IP
        if _chip.size(_chip.settings["air"]) <= 0:
            return STAT_NO_AP_FOUND
        with _chip.open(_chip.settings["air"]) as file:
            there = file.read()
        if there == self._wanted:
            return STAT_GOT_IP
        return (
            STAT_WRONG_PASSWORD if there.split(b"\n")[0] == self._wanted.split(b"\n")[0] else STAT_NO_AP_FOUND
        )

    def ifconfig(self, *_):
        if not self.isconnected():
            return ("0.0.0.0",) * 4
        return ("192.168.4.2", "255.255.255.0", "192.168.4.1", "192.168.4.1")

    def config(self, *names, **settings):
        if names == ("mac",):
            return machine.unique_id()
        if names == ("ssid",) or names == ("essid",):
            return (self._wanted or b"\n").split(b"\n")[0].decode()
        if names == ("hostname",):
            return hostname()
        if names:
            raise ValueError("unknown config param")

    def scan(self):
        return []
