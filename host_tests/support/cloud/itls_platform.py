"""The platform's side of iTLS in this process, without a socket, and devices taken up to a step of it."""

import ssl

import pytest

from host_tests.support.cloud.itls import ALERT, record, settings
from tools.emulator.cloud import config, faults
from tools.emulator.cloud.instance import Instance
from tools.emulator.cloud.itls.alerts import Alert
from tools.emulator.cloud.itls.session import Alone, Session
from tools.emulator.cloud.process import toml
from tools.emulator.cloud.store import Store


class Dice:
    """Randomness that was thrown before: each call must ask for what comes next."""

    def __init__(self, *values):
        self.values = list(values)

    def __call__(self, size):
        value = self.values.pop(0)
        assert len(value) == size
        return value


class Struck(Alone):
    """Around a session without a socket: faults that are armed strike."""

    def __init__(self, faults):
        self.faults = faults

    def take(self, stage, pk, dn):
        return self.faults.take("itls", stage, pk, dn)


class Platform:
    """A platform in this process without a socket, and one iTLS session after the other, by `connect`."""

    def __init__(self, folder, switches=None, **product):
        chosen = config.parse(toml(settings(switches, **product)))
        self.now = 1_750_000_000.0
        self.store = Store(folder / "state.sqlite")
        self.instance = Instance(chosen, self.store, lambda: self.now, lambda: self.now)
        self.service = self.instance.id2

    def connect(self, *dice):
        """A new connection, whose randomness is `dice` if there are any."""
        if dice:
            self.service.random = Dice(*dice)
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.session = Session(self.service, self.incoming, self.outgoing, Struck(self.instance.faults))
        return self

    def arm(self, when, what):
        """The next answer at `when` is spoiled, by `what`."""
        self.instance.faults.armed.append(
            faults.read({"where": "itls", "when": when, "kind": "spoil", "what": what})
        )

    def handshake(self, record):
        """What the platform sends when `record` comes."""
        self.incoming.write(record)
        try:
            self.session.do_handshake()
        except ssl.SSLWantReadError:
            pass
        return self.outgoing.read()

    def data(self, record):
        self.incoming.write(record)
        return self.session.read(65536)

    def refused(self, record):
        """The code of the alert that `record` is answered with; it is fatal, in clear, and all there is."""
        with pytest.raises(Alert) as raised:
            self.handshake(record)
        sent = self.outgoing.read()
        assert sent[:6] == record_head(ALERT, 2) + b"\x02" and len(sent) == 7 and sent[6] == raised.value.code
        assert self.session.state == "over"
        return sent[6]

    def prove(self, device):
        """Both hellos of `device` on a new connection; the ServerHello's extensions."""
        device.take_challenge(self.connect().handshake(device.hello())[5:])
        return device.take_server_hello(self.handshake(device.hello(device.code()))[5:])

    def open(self, device):
        """A whole handshake of `device`."""
        self.prove(device)
        device.take_finished(self.handshake(device.finished())[5:])
        assert self.session.state == "open"
        return self


def record_head(kind, size):
    return record(kind, bytes(size))[:5]


def challenged(platform, device, **hello):
    """A new connection on which `device` has its challenge."""
    device.take_challenge(platform.connect().handshake(device.hello(**hello))[5:])
    return platform


def greeted(platform, device):
    platform.prove(device)
    return platform
