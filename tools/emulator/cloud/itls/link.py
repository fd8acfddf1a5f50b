"""The port that speaks iTLS, MQTT inside."""

import contextlib

from tools.emulator.cloud.itls.session import Session
from tools.emulator.cloud.link import SHAPERS, Link, Listener


class Context:
    """Stands where a TLS listener has its certificates; gives a `Session` as `ssl.SSLContext` does."""

    def __init__(self, service):
        self.service = service

    def get(self, certificate=None):
        return self

    def wrap_bio(self, incoming, outgoing, server_side=True):
        return Session(self.service, incoming, outgoing)


class ItlsListener(Listener):
    transport = "itls"

    def connection(self, loop):
        return ItlsLink(self, loop)


class ItlsLink(Link):
    """A connection whose `tls` is an iTLS `Session`."""
