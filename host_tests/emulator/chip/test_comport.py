"""RFC 2217 by its own table, byte for byte, and with pyserial's client."""

import socket
import time

import pytest
import serial

from tools.emulator.chip.comport import ComPort, Port


class _Port(Port):
    def __init__(self):
        self.seen = []

    def set_baud(self, rate):
        self.seen.append(("baud", rate))
        return rate

    def set_lines(self, dtr=None, rts=None):
        self.seen.append(("lines", dtr, rts))

    def purge(self, received, transmitted):
        self.seen.append(("purge", received, transmitted))


def _sub(*content):
    return bytes([255, 250, 44, *content, 255, 240])


@pytest.fixture
def option():
    option = ComPort(_Port())
    option.feed(_sub(0, *b"a client"))  # from the first such word on it knows the modem state
    assert bytes(option.replies[-7:]) == _sub(107, 0)
    option.replies.clear()
    return option


# request -> (answer, what the port was told); numbers as RFC 2217 section 3 has them
TABLE = {
    "signature": (_sub(0), _sub(100, *b"aliot emulated board"), []),
    "the client's own signature": (_sub(0, *b"me"), b"", []),
    "baud rate": (_sub(1, 0, 14, 16, 0), _sub(101, 0, 14, 16, 0), [("baud", 921600)]),
    "baud rate asked": (_sub(1, 0, 0, 0, 0), _sub(101, 0, 1, 194, 0), []),
    "baud rate with 0xFF in it": (
        _sub(1, 0, 0, 255, 255, 0),
        _sub(101, 0, 0, 255, 255, 0),
        [("baud", 65280)],
    ),
    "baud rate cut short": (_sub(1, 0, 14), b"", []),
    "data size": (_sub(2, 7), _sub(102, 7), []),
    "data size asked": (_sub(2, 0), _sub(102, 8), []),
    "data size that is none": (_sub(2, 9), _sub(102, 8), []),
    "parity": (_sub(3, 3), _sub(103, 3), []),
    "parity asked": (_sub(3, 0), _sub(103, 1), []),
    "stop size": (_sub(4, 2), _sub(104, 2), []),
    "stop size asked": (_sub(4, 0), _sub(104, 1), []),
    "flow control asked": (_sub(5, 0), _sub(105, 1), []),
    "flow control by hardware": (_sub(5, 3), _sub(105, 3), []),
    "break asked": (_sub(5, 4), _sub(105, 6), []),
    "break on": (_sub(5, 5), _sub(105, 5), []),
    "DTR asked": (_sub(5, 7), _sub(105, 9), []),
    "DTR on": (_sub(5, 8), _sub(105, 8), [("lines", True, None)]),
    "DTR off": (_sub(5, 9), _sub(105, 9), [("lines", False, None)]),
    "RTS asked": (_sub(5, 10), _sub(105, 12), []),
    "RTS on": (_sub(5, 11), _sub(105, 11), [("lines", None, True)]),
    "RTS off": (_sub(5, 12), _sub(105, 12), [("lines", None, False)]),
    "inbound flow asked": (_sub(5, 13), _sub(105, 14), []),
    "inbound flow by hardware": (_sub(5, 16), _sub(105, 16), []),
    "line state mask": (_sub(10, 255, 255), _sub(110, 0), []),
    "modem state mask": (_sub(11, 1), _sub(111, 1), []),
    "modem state asked": (_sub(7), _sub(107, 0), []),
    "purge what was received": (_sub(12, 1), _sub(112, 1), [("purge", True, False)]),
    "purge what was sent": (_sub(12, 2), _sub(112, 2), [("purge", False, True)]),
    "purge both": (_sub(12, 3), _sub(112, 3), [("purge", True, True)]),
    "another option": (bytes([255, 250, 31, 0, 80, 255, 240]), b"", []),
    "an unknown command": (_sub(77, 1), b"", []),
    "WILL binary, which was offered": (b"\xff\xfb\x00", b"", []),
    "DO binary, which was offered": (b"\xff\xfd\x00", b"", []),
    "DO echo": (b"\xff\xfd\x01", b"\xff\xfb\x01", []),
    "WILL com port, which was asked for": (b"\xff\xfb\x2c", b"", []),
    "WILL terminal type": (b"\xff\xfb\x18", b"\xff\xfe\x18", []),
    "DO terminal type": (b"\xff\xfd\x18", b"\xff\xfc\x18", []),
    "WONT what is off": (b"\xff\xfc\x18", b"", []),
    "NOP": (b"\xff\xf1", b"", []),
}


@pytest.mark.parametrize("name", TABLE)
def test_each_request_of_rfc_2217_gets_its_answer(option, name):
    request, answer, seen = TABLE[name]
    data = b"".join(option.feed(bytes([byte])) for byte in b"a" + request + b"b")
    assert (data, bytes(option.replies), option._port.seen) == (b"ab", answer, seen)


def test_it_opens_with_binary_and_the_com_port_option():
    output = bytes(ComPort(Port()).replies)
    assert {output[at : at + 3] for at in range(0, len(output), 3)} >= {
        b"\xff\xfd\x2c",
        b"\xff\xfb\x00",
        b"\xff\xfd\x00",
    }


def test_the_modem_state_is_told_when_the_client_agrees_to_the_option():
    option = ComPort(_Port())
    option.replies.clear()
    option.feed(b"\xff\xfb\x2c" * 2)
    assert bytes(option.replies) == _sub(107, 0)


def test_settings_hold_until_they_are_changed(option):
    for request in (_sub(1, 0, 0, 0x96, 0), _sub(2, 7), _sub(5, 8), _sub(5, 11)):
        option.feed(request)
    option.replies.clear()
    for request in (_sub(1, 0, 0, 0, 0), _sub(2, 0), _sub(5, 7), _sub(5, 10)):
        option.feed(request)
    assert bytes(option.replies) == _sub(101, 0, 0, 0x96, 0) + _sub(102, 7) + _sub(105, 8) + _sub(105, 11)


def test_an_option_is_agreed_to_once(option):
    option.feed(b"\xff\xfd\x01" * 3)
    assert bytes(option.replies) == b"\xff\xfb\x01"
    option.replies.clear()
    option.feed(b"\xff\xfe\x01" * 3)
    assert bytes(option.replies) == b"\xff\xfc\x01"


def test_data_of_any_value_passes_both_ways(option):
    every = bytes(range(256))
    assert option.feed(ComPort.escape(every)) == every


def test_the_client_can_ask_for_silence(option):
    option.feed(_sub(8))
    assert option.suspended
    option.feed(_sub(9))
    assert not option.suspended


# what a program may send that is no RFC 2217 client: nothing of it may reach a console
STRANGERS = {
    "a web page's POST": b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n\xff\xfb\x2c\x03print(1)\r\n",
    "a browser's TLS": b"\x16\x03\x01\x02\x00\x01\x00",
    "a program with a plain socket": b"\r\x03import os\r\n",
    "a telnet client without the option": b"\xff\xfb\x18\xff\xfd\x03\xff\xfd\x00import os\r\n",
    "an escaped 255": b"\xff\xffimport os\r\n",
    "the option only after data": b"x" + _sub(0, *b"late") + b"import os\r\n",
}


@pytest.mark.parametrize("name", STRANGERS)
@pytest.mark.parametrize("pieces", [False, True])
def test_data_before_the_option_is_for_nobody(name, pieces):
    option = ComPort(_Port())
    sent = [bytes([byte]) for byte in STRANGERS[name]] if pieces else [STRANGERS[name]]
    assert b"".join(map(option.feed, sent)) == b"" and option.foreign and option._port.seen == []
    assert option.feed(_sub(1, 0, 14, 16, 0) + b"import os\r\n") == b"" and option._port.seen == []


def test_a_post_to_the_port_is_told_what_it_is_and_frees_it(bench):
    chip = bench()
    heard = []
    chip.chip.receive = heard.append
    with socket.create_connection(("127.0.0.1", chip.server.port), timeout=10) as stranger:
        stranger.sendall(STRANGERS["a web page's POST"])
        output = b"".join(iter(lambda: stranger.recv(4096), b""))
    assert b"rfc2217://" in output and heard == []
    with serial.serial_for_url(chip.url, timeout=2) as port:
        port.write(b"from a client")
        port.flush()
        deadline = time.monotonic() + 10
        while not heard and time.monotonic() < deadline:
            time.sleep(0.005)
    assert b"".join(heard) == b"from a client"


def test_a_subnegotiation_without_end_takes_no_memory(option):
    option.feed(b"\xff\xfa\x2c" + b"x" * 100_000)
    assert len(option._sub) <= 1024


def test_pyserials_client_opens_sets_and_reads_everything_back(bench):
    chip = bench()
    with serial.serial_for_url(
        chip.url, baudrate=57600, bytesize=7, parity="E", stopbits=2, timeout=1
    ) as port:
        port.baudrate = 460800
        assert (port.cts, port.dsr, port.ri, port.cd) == (False,) * 4
        port.break_condition = True
        port.break_condition = False
        port.reset_input_buffer()
        port.reset_output_buffer()
        assert port.baudrate == 460800


def test_a_blank_board_prints_what_the_rom_prints(bench):
    chip = bench()
    with serial.serial_for_url(chip.url, timeout=2) as port:
        output = port.read_until(b"invalid header: 0xffffffff\r\n" * 8)
    assert b"ets Jul 29 2019" in output or b"invalid header" in output


def test_a_second_client_is_told_that_the_port_is_taken(bench):
    chip = bench()
    with serial.serial_for_url(chip.url):
        with pytest.raises(serial.SerialException):
            serial.serial_for_url(chip.url + "?timeout=0.3")
    with serial.serial_for_url(chip.url):
        pass  # and it is free again afterwards
