"""The SNTP port and its faults."""

import socket
import struct
import time

import pytest

REQUEST = b"\x1b" + bytes(39) + b"\x01\x02\x03\x04\x05\x06\x07\x08"
EPOCH_1900 = 2_208_988_800


def ask(cloud, request=REQUEST, timeout=20.0):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
        link.settimeout(timeout)
        link.sendto(request, ("127.0.0.1", cloud.ports["ntp"]))
        return link.recv(100)


def transmitted(answer):
    return struct.unpack("!I", answer[40:44])[0] - EPOCH_1900


def test_the_answer_is_that_of_a_server(cloud):
    answer = ask(cloud)
    assert len(answer) == 48
    assert answer[0] == 0x1C and 1 <= answer[1] <= 15  # no warning, version 3, server; a synchronised stratum
    assert answer[24:32] == REQUEST[40:]  # originate time stamp
    assert abs(transmitted(answer) - time.time()) < 60
    assert ask(cloud, b"\x23" + REQUEST[1:])[0] == 0x24  # the version of the request


@pytest.mark.parametrize(
    "request_", [b"", REQUEST[:47], b"\x1c" + REQUEST[1:]], ids=["empty", "short", "server mode"]
)
def test_what_is_no_request_is_not_answered(cloud, request_):
    with pytest.raises(TimeoutError):
        ask(cloud, request_, 0.2)


def test_silence_once(cloud):
    cloud.arm("ntp", "request", "silent")
    with pytest.raises(TimeoutError):
        ask(cloud, timeout=0.2)
    assert len(ask(cloud)) == 48


@pytest.mark.parametrize("year", [2000, 1970, 2036, 2100])
def test_another_year(cloud, year):
    cloud.arm("ntp", "request", "wrong_year", year=year)
    seconds = (transmitted(ask(cloud)) + 2**32 * (year >= 2036)) if year != 1970 else transmitted(ask(cloud))
    assert abs(time.gmtime(seconds).tm_year - year) <= (time.gmtime().tm_yday > 364)


def test_late(cloud):
    cloud.arm("ntp", "request", "delay", ms=250)
    start = time.monotonic()
    assert len(ask(cloud)) == 48
    assert time.monotonic() - start >= 0.24


def test_cut_and_kiss_of_death(cloud):
    cloud.arm("ntp", "request", "cut", bytes=47)
    assert len(ask(cloud)) == 47
    cloud.arm("ntp", "request", "kiss")
    answer = ask(cloud)
    assert answer[0] >> 6 == 3 and answer[1] == 0 and answer[12:16] == b"RATE"
