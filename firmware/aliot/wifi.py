"""A board's Wi-Fi as the session sees it: is it up, and ask it to join."""

import network

from aliot.log import Secret


class Wifi:
    def __init__(self, ssid, password=""):
        self.name = ssid
        self.password = Secret(password)
        self.station = network.WLAN(network.STA_IF)

    def up(self):
        return self.station.isconnected()

    def join(self):
        """Start to join; does not wait. OSError from the driver (a password below 8 characters) comes through."""
        self.station.active(True)
        if self.station.isconnected():
            return
        self.station.disconnect()  # a driver that is still trying refuses a second connect()
        self.station.connect(self.name, self.password.reveal())


class Wired:
    """A network that somebody else keeps up."""

    name = ""

    def up(self):
        return True

    def join(self):
        pass
