"""A package over HTTPS with Range, from the byte on that is wanted; application.md 5.5."""

from aliot import load, unload
from aliot.errors import TimedOut
from aliot.ticks import uptime
from micropython import const

_PIECE = const(512)  # bytes read at once
_SILENT = const(30000)  # ms without a byte


def source(update):
    """See aliot.ota.update. AliotError `download.` and what was wrong; LinkError."""
    buffer = memoryview(bytearray(_PIECE))
    stream = None
    end = left = 0  # where what comes next begins; bytes of the answer to come, -1 before its head
    skip = heard = 0  # of them, those before what is wanted; uptime when something came last
    try:
        while True:
            at = yield
            if stream and at > end:
                stream.close()
                stream = None
            if not stream:
                stream = load("ota.request").ask(update, at)
                unload("ota.request")
                end = at
                left = -1
                heard = uptime()
            elif left < 0:
                if stream.ready(0):
                    left, skip = load("ota.request").answered(stream, update.task["size"], at)
                    unload("ota.request")
            else:
                size = 0
                while size < min(left, _PIECE):
                    count = stream.readinto(buffer[size:left])
                    if not count:
                        break
                    size += count
                    heard = uptime()
                left -= size
                if skip < size:
                    update.data = buffer[skip:size]
                    end += size - skip
                skip -= min(skip, size)
            if uptime() - heard > _SILENT:
                raise TimedOut("download")
    finally:
        if stream:
            stream.close()
