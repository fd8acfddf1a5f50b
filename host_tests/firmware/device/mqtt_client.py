"""An MQTT client on a scripted stream."""

import struct
from aliot.mqtt import Client
from scripted import Stream

CONNACK = b"\x20\x02\0\0"


class Fields:
    client_id, username, password = "id", "user", "password"


def client(stream, timeout=200, limit=1000):
    made = Client(stream, Fields, 300, timeout, limit)
    made.got = []
    made.set_callback(lambda topic, message: made.got.append((topic, message)))
    return made


def online(data=b"", end="silent", piece=0, answer=None, timeout=200):
    """A connected client; what was written so far is forgotten."""
    stream = Stream(CONNACK + data, end, piece)
    made = client(stream, timeout)
    made.connect()
    stream.writes = []
    stream.answer = answer
    return made, stream


def packet(kind, body):
    size, length = b"", len(body)
    while length > 127:
        size += bytes([length & 127 | 128])
        length >>= 7
    return bytes([kind]) + size + bytes([length]) + body


def message(topic, payload, number=None):
    body = struct.pack("!H", len(topic)) + topic + (struct.pack("!H", number) if number else b"") + payload
    return packet(0x32 if number else 0x30, body)


def drain(made):
    while made.poll(1):
        pass
