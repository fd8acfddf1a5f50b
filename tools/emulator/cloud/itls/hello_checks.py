"""What a hello must have, whoever sends it (id2.md 3.2, 4.2)."""

from tools.emulator.cloud.itls import alerts, messages
from tools.emulator.cloud.itls.alerts import Alert
from tools.emulator.cloud.itls.suites import SUITES

FRAGMENTS = {1: 512, 2: 1024, 3: 2048, 4: 4096}  # max_fragment_length, RFC 6066
KEY_GROUP, VERSION = b"\x00\x10\x00\x10", b"\x00\x02\x01\x00"
ID_SIZES = range(24, 49)


def check(hello, first, switches):
    """Raises `Alert` for a hello that will not do; `first` is the one before it here, or None."""
    for number in (messages.KEY_ID, messages.CODE):
        if number not in hello.extensions:
            raise Alert(alerts.HANDSHAKE, f"extension {number:04x} is missing")
    if len(hello.id2) not in ID_SIZES:
        raise Alert(alerts.DECODE, "the key id has another length than 4 and 24 to 48")
    fragment = hello.extensions.get(messages.FRAGMENT)
    if fragment is not None and (len(fragment) != 1 or fragment[0] not in FRAGMENTS):
        raise Alert(alerts.ILLEGAL, "max_fragment_length is none of 1 to 4")
    if switches.itls_key_group == "checked" and hello.key_group != KEY_GROUP:
        raise Alert(alerts.BAD_KEY_TYPE, "another key group")
    if switches.itls_version == "checked" and hello.extensions.get(messages.EXTENDED_VERSION) != VERSION:
        raise Alert(alerts.VERSION, "another extended version")
    if first and switches.itls_hellos == "same" and not hello.same_as(first):
        raise Alert(alerts.ILLEGAL, "the second hello differs from the first")


def choose(hello, switches):
    """The suite that the server likes best of those that the device has; raises `Alert`."""
    for name in switches.itls_suites:
        if SUITES[name].number in hello.suites:
            return SUITES[name]
    raise Alert(alerts.HANDSHAKE, "no common cipher suite")
