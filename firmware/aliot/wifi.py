"""A board's Wi-Fi as a Device sees it: whether it is up, how to join, and why it did not."""

import network

from aliot import load, unload
from aliot.log import Secret


class Wifi:
    """The station that joins `ssid` (text, or bytes for an access point that does not speak UTF-8).

    The password has 8 to 63 characters, or is a key of 64 hex digits; an open network has none.
    """

    fault = None  # what the driver refused

    def __init__(self, ssid, password=""):
        self.ssid = ssid
        self.name = ssid if isinstance(ssid, str) else str(ssid)[2:-1]
        self.password = Secret(password)
        self.station = network.WLAN(network.STA_IF)

    def up(self):
        return self.station.isconnected()

    def join(self):
        """Start to join; does not wait. What is refused at once (no ssid, a password under 8 characters): `problem`."""
        self.fault = None if self.ssid else "no ssid is set"
        try:
            self.station.active(True)
            if self.ssid and not self.station.isconnected():
                self.station.disconnect()  # a driver that is still trying refuses a second connect()
                self.station.connect(self.ssid, self.password.reveal())
        except OSError as problem:
            self.fault = str(problem)
        return self.fault

    def problem(self):
        """(code, detail) of why the network is not up, `wifi...` as in aliot.advice."""
        found = load("wifi_problem").problem(self)
        unload("wifi_problem")
        return found
