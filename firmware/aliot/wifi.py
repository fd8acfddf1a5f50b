"""A board's Wi-Fi as the session sees it: is it up, and ask it to join."""

import network

from aliot.log import Secret


class Wifi:
    def __init__(self, ssid, password=""):
        self.name = ssid
        self._password = Secret(password)
        self._station = network.WLAN(network.STA_IF)

    def up(self):
        return self._station.isconnected()

    def join(self):
        """Start to join; does not wait. OSError from the driver (a password below 8 characters) comes through."""
        self._station.active(True)
        if self._station.isconnected():
            return
        try:
            self._station.disconnect()
        except OSError:
            pass
        self._station.connect(self.name, self._password.reveal())


class Wired:
    """A network that somebody else keeps up."""

    name = ""

    def up(self):
        return True

    def join(self):
        pass
