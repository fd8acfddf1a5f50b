"""HTTPS as a download sees it: scripts for each connect, in place of aliot.transport.tls."""

from binascii import hexlify
from hashlib import sha256

from aliot.transport import tls
from scripted import CLOSED, Stream


def sign(data):
    return hexlify(sha256(data).digest()).decode()


def http(data, status="200 OK", length=None, more=""):
    """An answer with a body."""
    length = len(data) if length is None else length
    return ("HTTP/1.1 %s\r\nContent-Length: %s\r\n%s\r\n" % (status, length, more)).encode() + data


class Files:
    """Plays an answer, or raises an error, for each connect; `asked` lists (host, port, roots), `streams` its streams.

    The last answer goes on for ever. `wait(ms)` lets time pass where nothing is there.
    """

    def __init__(self, *answers, piece=0, end=CLOSED, wait=None):
        self.answers = list(answers)
        self.piece = piece
        self.end = end
        self.wait = wait
        self.asked = []
        self.streams = []
        tls.connect = self.connect

    def connect(self, credential, host, port, roots, timeout, context=True):
        self.asked.append((host, port, roots))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        stream = Stream(answer, self.end, self.piece)
        if self.wait:
            ready = stream.ready
            stream.ready = lambda ms: ready(ms) or self.wait(ms)
        self.streams.append(stream)
        return stream
