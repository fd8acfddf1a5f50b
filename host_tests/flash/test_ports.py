"""Ports: the only board is taken, and a port that cannot be used is one line with the cure."""

import errno
from types import SimpleNamespace

import pytest
import serial

from host_tests.flash.flashed import _found
from tools.errors import UserError
from tools.flash import port


def test_without_a_name_the_only_board_is_taken(monkeypatch):
    monkeypatch.setattr(port.list_ports, "comports", _found("/dev/ttyUSB7"))
    assert port.choose() == "/dev/ttyUSB7" and port.choose("x") == "x"
    monkeypatch.setattr(port.list_ports, "comports", _found())
    with pytest.raises(UserError, match="no board is plugged in; say PORT="):
        port.choose()
    monkeypatch.setattr(port.list_ports, "comports", _found("/dev/ttyUSB0", "/dev/ttyUSB1"))
    with pytest.raises(UserError, match=r"2 boards are plugged in: /dev/ttyUSB0 \(CP2102N\), /dev/ttyUSB1"):
        port.choose()


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            serial.SerialException(errno.EACCES, "could not open port: [Errno 13] Permission denied"),
            "dialout",
        ),
        (serial.SerialException("could not open port x: [Errno 13] Permission denied: 'x'"), "dialout"),
        (serial.SerialException(errno.EBUSY, "busy"), "another program has it"),
        (serial.SerialException(errno.EAGAIN, "Could not exclusively lock port x"), "another program has it"),
        (
            serial.SerialException(
                "Could not exclusively lock port x: [Errno 11] Resource temporarily unavailable"
            ),
            "another program has it",
        ),
        (serial.SerialException(errno.ENOENT, "no such file"), "there is no such port"),
    ],
)
def test_a_port_that_cannot_be_opened_is_one_line_with_the_cure(monkeypatch, error, message):
    def refuse(*_, **__):
        raise error

    monkeypatch.setattr(serial, "serial_for_url", lambda *_, **__: SimpleNamespace(open=refuse))
    with pytest.raises(UserError) as refusal:
        port.open_port("/dev/ttyUSB0")
    assert message in str(refusal.value) and "\n" not in str(refusal.value)


def test_a_port_that_is_taken_and_one_where_nobody_listens(bench, tool):
    board = bench(busy=True)
    assert "somebody else has it" in tool(board.url + "?timeout=0.3", "flash").error
    assert "nobody listens there" in tool("rfc2217://127.0.0.1:1", "flash").error
