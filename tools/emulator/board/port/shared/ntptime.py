"""The chip's frozen `ntptime`: one question to one server over UDP."""

import socket
import struct
import time as _time

import machine

host = "pool.ntp.org"
timeout = 1
_SINCE_1900 = 3155673600
_OLDEST = 3913056000  # an earlier count has wrapped in 2036


def time():
    """Seconds since 2000, as the server says. OSError when it does not answer within `timeout` seconds."""
    question = bytearray(48)
    question[0] = 0x1B
    address = socket.getaddrinfo(host, 123)[0][-1]
    line = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        line.settimeout(timeout)
        line.sendto(question, address)
        answer = line.recv(48)
    finally:
        line.close()
    seconds = struct.unpack("!I", answer[40:44])[0]
    if seconds < _OLDEST:
        seconds += 0x100000000
    return seconds - _SINCE_1900


def settime():
    """Set the clock by the server."""
    now = _time.gmtime(time())
    machine.RTC().datetime((now[0], now[1], now[2], now[6] + 1, now[3], now[4], now[5], 0))
