"""SLIP framing, as RFC 1055 has it: frames between 0xC0 bytes."""

_END, _ESC = b"\xc0", b"\xdb"


def encode(frame: bytes) -> bytes:
    """The bytes on the line for one frame."""
    return _END + frame.replace(_ESC, b"\xdb\xdd").replace(_END, b"\xdb\xdc") + _END


class Decoder:
    """Bytes from the line in pieces of any size; whole frames out."""

    def __init__(self):
        self._rest = None  # None: nothing seen since the last delimiter that could open a frame

    def feed(self, data: bytes) -> list[bytes]:
        """The frames that `data` completes. Bytes before the first delimiter are noise and dropped."""
        parts = bytes(data).split(_END)
        if self._rest is None:
            if len(parts) == 1:
                return []
            self._rest = b""
            parts = parts[1:]
        frames = []
        for part in parts[:-1]:
            frame, self._rest = self._rest + part, b""
            if frame:
                frames.append(_unescape(frame))
        self._rest += parts[-1]
        return [frame for frame in frames if frame is not None]


def _unescape(frame):
    """The frame's content; None when an escape in it is not one."""
    pieces = frame.split(_ESC)
    out = [pieces[0]]
    for piece in pieces[1:]:
        if piece[:1] not in (b"\xdc", b"\xdd"):
            return None
        out.append((_END if piece[:1] == b"\xdc" else _ESC) + piece[1:])
    return b"".join(out)
