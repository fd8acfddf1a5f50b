"""Bays: the places for boards at a station, and what is plugged into them right now.

Ports renumber, and adapters share serial numbers; a USB location (`1-1.4.2`:
bus, then the hub's sockets) stays. A bay is therefore bound to a location, or
to a pyserial URL for boards behind a network.
"""

import os
from collections.abc import Sequence
from typing import Protocol

from tools.errors import UserError
from tools.line.station.station_file import Bay


class Port(Protocol):
    """A serial port as pyserial lists it."""

    device: str
    location: str | None
    vid: int | None
    pid: int | None


def plugged() -> Sequence[Port]:
    """pyserial's list of ports."""
    from serial.tools import list_ports

    return list_ports.comports()


def location(port: Port) -> str | None:
    """A port's USB location without the interface's suffix, or None."""
    return port.location.partition(":")[0] if port.location else None


def locate(bay: Bay, ports: Sequence[Port]) -> str | None:
    """The device name or URL of what is in a bay now, or None. `ports`: what `plugged` gave."""
    if bay.usb is not None:
        return next((port.device for port in ports if location(port) == bay.usb), None)
    if bay.port is None or "://" in bay.port:
        return bay.port
    return bay.port if os.path.exists(bay.port) else None


def found(ports: Sequence[Port]) -> tuple[Bay, ...]:
    """A bay for each USB serial port that is plugged in, named by its location."""
    places = sorted({place for port in ports if (place := location(port))})
    return tuple(Bay(place, usb=place) for place in places)


def parse(texts: Sequence[str]) -> tuple[Bay, ...]:
    """Bays from the command line: NAME=1-1.4.2, NAME=/dev/ttyUSB0, NAME=rfc2217://host:port, or one without
    NAME.
    """
    made = []
    for number, text in enumerate(texts, 1):
        name, sep, place = text.partition("=")
        if not sep or "/" in name:
            name, place = str(number), text
        if not name or not place:
            raise UserError(f"'{text}' is no bay: say NAME=PORT, NAME=URL or NAME=USB-LOCATION")
        is_port = "/" in place or place.upper().startswith("COM")
        made.append(Bay(name, port=place) if is_port else Bay(name, usb=place))
    names = [bay.name for bay in made]
    places = [bay.usb or bay.port or "" for bay in made]
    for values, what in ((names, "name"), (places, "port")):
        double = next((value for value in values if values.count(value) > 1), None)
        if double:
            raise UserError(f"two bays have the {what} {double}")
    return tuple(made)
