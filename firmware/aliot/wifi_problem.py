"""Why Wi-Fi is not up, out of what the driver says; imported when it is asked."""

from micropython import const

# of WLAN.status(); the numbers below 100 are the driver's own reasons
_ABSENT = (201, 210, 211, 212)
_REFUSED = (15, 202, 204)
_CONNECTING = const(1001)


def problem(wifi):
    """(code, detail) of a Wifi that did not join."""
    if wifi.fault:
        return "wifi.driver" if wifi.ssid else "wifi.ssid", wifi.fault
    status = wifi.station.status()
    if status in _ABSENT:
        code = "wifi.absent"
    elif status in _REFUSED:
        code = "wifi.password"
    else:
        code = "wifi.address" if status == _CONNECTING else "wifi"
    return code, "status %d" % status
