"""Telnet with the COM-PORT-OPTION (RFC 854, 855, 856, 2217), the side of the access server. Pure.

Bytes from the network in, data for the serial port out; answers collect in
`replies`. What a request means for the port is told to a `Port`.

No data passes before the client has spoken of the COM-PORT-OPTION. A client that
sends data first, as a web page's POST does, speaks another protocol: it is `foreign`,
and nothing that it sends is heard any more.
"""

import struct

IAC, DONT, DO, WONT, WILL, SB, SE = 255, 254, 253, 252, 251, 250, 240
BINARY, ECHO, SGA, COM_PORT = 0, 1, 3, 44

SIGNATURE, BAUD, DATASIZE, PARITY, STOPSIZE, CONTROL = 0, 1, 2, 3, 4, 5
LINESTATE, MODEMSTATE, SUSPEND, RESUME, LINESTATE_MASK, MODEMSTATE_MASK, PURGE = 6, 7, 8, 9, 10, 11, 12
_ANSWER = 100  # an answer carries the request's number and this
_OURS = (BINARY, ECHO, SGA, COM_PORT)
_THEIRS = (BINARY, SGA, COM_PORT)
_SETTINGS = {
    DATASIZE: ("datasize", range(5, 9)),
    PARITY: ("parity", range(1, 6)),
    STOPSIZE: ("stopsize", range(1, 4)),
}
# SET-CONTROL: value -> (what it sets, to what); requests are answered with the value that holds
_CONTROLS = {
    1: ("flow", 1),
    2: ("flow", 2),
    3: ("flow", 3),
    17: ("flow", 17),
    19: ("flow", 19),
    5: ("break", 5),
    6: ("break", 6),
    8: ("dtr", 8),
    9: ("dtr", 9),
    11: ("rts", 11),
    12: ("rts", 12),
    14: ("inbound", 14),
    15: ("inbound", 15),
    16: ("inbound", 16),
    18: ("inbound", 18),
}
_ASKED = {0: "flow", 4: "break", 7: "dtr", 10: "rts", 13: "inbound"}
_DATA, _COMMAND, _OPTION, _SUB, _SUB_COMMAND = range(5)
_SUB_LIMIT = 1024  # a subnegotiation longer than this is no setting of a port


class Port:
    """The serial port behind the option; a subclass does something with it."""

    signature = "aliot emulated board"
    modem_state = 0  # CTS, DSR, RI and CD of a dev board's bridge are not wired

    def set_baud(self, rate: int) -> int:
        """The rate from now on; gives back the rate that holds."""
        return rate

    def set_lines(self, dtr: bool | None = None, rts: bool | None = None) -> None:
        """A line changed."""

    def purge(self, received: bool, transmitted: bool) -> None:
        """Drop what was received from the chip and not yet sent on, or taken for it and not yet delivered."""


class ComPort:
    """One connection."""

    def __init__(self, port):
        self._port = port
        self.replies = bytearray()
        self.foreign = False
        self.baud = 115200
        self._values = {
            "datasize": 8,
            "parity": 1,
            "stopsize": 1,
            "flow": 1,
            "inbound": 14,
            "break": 6,
            "dtr": 9,
            "rts": 12,
        }
        self._ours, self._theirs = set(), set()
        self._offered = {(WILL, BINARY), (WILL, SGA), (DO, BINARY), (DO, COM_PORT)}
        self._suspended = self._announced = False
        self._modem_mask = 0xFF
        self._state, self._command, self._sub = _DATA, None, bytearray()
        for command, option in sorted(self._offered):
            self.replies += bytes([IAC, command, option])

    @property
    def suspended(self) -> bool:
        """Whether the client asked for no more data for now."""
        return self._suspended

    @staticmethod
    def escape(data: bytes) -> bytes:
        """Data for the client as it goes over the network."""
        return bytes(data).replace(b"\xff", b"\xff\xff")

    def feed(self, received: bytes) -> bytes:
        """The data for the serial port among the bytes received."""
        received = bytes(received)
        if self._announced and self._state == _DATA and IAC not in received:
            return received
        out = bytearray()
        for byte in received:
            if self.foreign:
                break
            if self._state == _DATA:
                if byte == IAC:
                    self._state = _COMMAND
                else:
                    self._data(byte, out)
            elif self._state == _SUB:
                if byte == IAC:
                    self._state = _SUB_COMMAND
                elif len(self._sub) < _SUB_LIMIT:
                    self._sub.append(byte)
            elif self._state == _OPTION:
                self._state = _DATA
                self._negotiate(self._command, byte)
            else:
                self._after_iac(byte, out)
        return bytes(out)

    def _data(self, byte, out):
        if self._announced:
            out.append(byte)
        else:
            self.foreign = True

    def _after_iac(self, byte, out):
        within, self._state = self._state == _SUB_COMMAND, _DATA
        if within and byte == IAC:
            self._sub.append(byte)
            self._state = _SUB
        elif byte == IAC:
            self._data(byte, out)
        elif within and byte == SE:
            self._subnegotiation(bytes(self._sub))
        elif byte == SB:
            self._sub = bytearray()
            self._state = _SUB
        elif byte in (DO, DONT, WILL, WONT):
            self._command, self._state = byte, _OPTION

    def _negotiate(self, command, option):
        """RFC 854: agree to what we can, refuse the rest, and never answer what changes nothing."""
        side, known, yes, no = (
            (self._theirs, _THEIRS, DO, DONT) if command in (WILL, WONT) else (self._ours, _OURS, WILL, WONT)
        )
        offered = (yes, option) in self._offered
        self._offered.discard((yes, option))
        if command in (WILL, DO):
            if option not in known:
                self.replies += bytes([IAC, no, option])
            elif option not in side:
                side.add(option)
                if not offered:
                    self.replies += bytes([IAC, yes, option])
                if side is self._theirs and option == COM_PORT:
                    self._announce()
        elif option in side:
            side.discard(option)
            self.replies += bytes([IAC, no, option])

    def _announce(self):
        """Tell the modem state once, as soon as the client speaks RFC 2217."""
        if not self._announced:
            self._announced = True
            self._answer(MODEMSTATE, bytes([self._port.modem_state & self._modem_mask]))

    def _answer(self, number, value):
        self.replies += bytes([IAC, SB, COM_PORT, number + _ANSWER]) + self.escape(value) + bytes([IAC, SE])

    def _subnegotiation(self, data):
        if len(data) < 2 or data[0] != COM_PORT:
            return
        self._announce()  # pyserial leaves its WILL out when our DO comes first
        number, value = data[1], data[2:]
        if number == SIGNATURE and not value:
            self._answer(SIGNATURE, self._port.signature.encode())
        elif number == BAUD and len(value) == 4:
            rate = struct.unpack(">I", value)[0]
            if rate:
                self.baud = self._port.set_baud(rate)
            self._answer(BAUD, struct.pack(">I", self.baud))
        elif number in _SETTINGS and len(value) == 1:
            name, allowed = _SETTINGS[number]
            if value[0] in allowed:
                self._values[name] = value[0]
            self._answer(number, bytes([self._values[name]]))
        elif number == CONTROL and len(value) == 1:
            self._answer(CONTROL, bytes([self._control(value[0])]))
        elif number in (SUSPEND, RESUME):
            self._suspended = number == SUSPEND
        elif number == MODEMSTATE:
            self._answer(MODEMSTATE, bytes([self._port.modem_state & self._modem_mask]))
        elif number == LINESTATE_MASK and len(value) == 1:
            self._answer(number, b"\0")  # no line state is ever reported
        elif number == MODEMSTATE_MASK and len(value) == 1:
            self._modem_mask = value[0]
            self._answer(number, value)
        elif number == PURGE and len(value) == 1:
            if value[0] in (1, 2, 3):
                self._port.purge(received=value[0] != 2, transmitted=value[0] != 1)
            self._answer(PURGE, value)

    def _control(self, value):
        """Carry out a SET-CONTROL; the value that answers it."""
        if value in _ASKED:
            return self._values[_ASKED[value]]
        if value not in _CONTROLS:
            return self._values["flow"]
        name, state = _CONTROLS[value]
        self._values[name] = state
        if name == "dtr":
            self._port.set_lines(dtr=value == 8)
        elif name == "rts":
            self._port.set_lines(rts=value == 11)
        return state
