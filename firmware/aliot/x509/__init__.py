"""X.509: an identity that is a certificate and its key; the platform says whose it is (x509.md). The way in `x509`.

Opt-in: nothing of it is loaded unless a board's record asks for it.
"""

import json

from aliot import clock, forget, part
from aliot.credentials import Identity, sound, text
from aliot.errors import AliotError, CredentialError, LinkError, ProtocolError
from aliot.transport import Deadline
from aliot.x509.slots import Slots
from micropython import const

_PRODUCT_KEY = const(2)  # tags of aliot.record
_DEVICE_NAME = const(3)
_REGION = const(8)
_HOST = const(10)
_CLIENT_ID = const(11)
_PORT = const(15)
_CERTIFICATE = const(20)
_PRIVATE_KEY = const(21)
TOPIC = "/ext/auth/identity/response"
_PUSH = const(5000)  # ms to wait for the identity; x509.md 10


def _advice(self):
    found = part("x509.advice").advice(self.code)
    forget("x509.advice")
    globals().pop("advice", None)
    return found


class X509Error(CredentialError):
    """What is wrong with a certificate, or with what the platform thinks of it; codes `x509...`, `mqtt.4`, `mqtt.5`."""

    code = "x509.missing"
    advice = property(_advice)


class IdentityChanged(LinkError):
    """The platform says that the certificate belongs to another device than before; the connection ends."""

    code = "x509.identity"
    retry = "never"
    advice = property(_advice)


class Pair:
    """A certificate and its private key, both DER; X509Error when they cannot be used.

    serial in the normal form of x509.md 3, expires as YYYY-MM-DD, begins and ends in seconds since 1970; slot
    is where it lies: "burned", "renewed" or "next", with the generation of that record.
    """

    def __init__(self, fields, slot, generation=0):
        self.certificate = fields.get(_CERTIFICATE)
        self.key = fields.get(_PRIVATE_KEY)
        self.slot = slot
        self.generation = generation
        der = part("x509.der")
        what = "certificate"
        try:
            if not self.certificate or not self.key:
                raise X509Error("no certificate" if not self.certificate else "no private key")
            self.serial, self.begins, self.ends, self.expires, *public = der.certificate(self.certificate)
            what = "private key"
            if der.private_key(self.key) != tuple(public):
                raise X509Error("the key does not belong to certificate %s" % self.serial, "x509.mismatch")
        except (ValueError, IndexError) as problem:
            raise X509Error("%s: %s" % (what, problem), "x509.malformed")
        finally:
            forget("x509.der")
            globals().pop("der", None)

    def check(self, now):
        """X509Error unless it is valid at `now`, in seconds since 1970; None: the clock is only a lower bound."""
        detail = "certificate %s is valid to %s" % (self.serial, self.expires)
        if self.ends < (now or clock.now()):
            raise X509Error(detail, "x509.expired")
        if now and now < self.begins:
            raise X509Error(detail + ", but not yet", "x509.future", "later")


class X509Certificate(Identity):
    """Who this device is was said by the platform, or is not known yet: product_key and device_name are "" then.

    `current` is the pair in use, `next` one that is to be tried, either may be None. At each connect the next
    one goes first; where it fails the current one follows, and so on in turn.
    """

    current = next = trying = None
    turn = True  # it is the turn of the next one
    asking = False  # CONNECT without an identity, to hear which one the platform has
    said = None  # the identity that was pushed on this connection
    hears = False  # the handler of the push is there
    time = None  # of the clock, when a server has set it

    def __init__(self, slots, client_id="", product_key="", device_name=""):
        self.slots = slots
        self.client_id = client_id
        self.product_key = self.device_name = ""
        if product_key or device_name:
            super().__init__(product_key, device_name)

    def load(self, fields):
        """Take the pairs out of the burned record's fields and out of the slots; X509Error when none is sound."""
        pairs, trouble = [], None
        for slot in ("burned", "renewed", "next"):
            generation, found = (0, fields) if slot == "burned" else self.slots.read(slot)
            pairs.append(None)
            try:
                if found is fields or _CERTIFICATE in found:
                    pairs[-1] = Pair(found, slot, generation)
            except X509Error as problem:
                trouble = trouble or problem
        burned, renewed, self.next = pairs
        self.current = renewed or burned
        if renewed and self.next and self.next.generation <= renewed.generation:
            self.next = None
        if not self.current and not self.next:
            raise trouble

    # What a Device and its transport call.

    def login(self, timestamp, sign_method):
        """(client id, its settings, password) of CONNECT (x509.md 4): the first form, or that of a reconnect."""
        self.time = timestamp and timestamp // 1000
        self.trying = self.next if self.next and (self.turn or not self.current) else self.current
        if self._asks():
            return ".", "securemode=2", ""
        settings = "securemode=2,signmethod=" + sign_method
        if timestamp is not None:
            settings += ",timestamp=%s" % timestamp
        return self.client_id or self.device_name, settings, ""

    def present(self, context):
        """Give the TLS context the certificate whose turn it is; X509Error when it cannot be used now."""
        try:
            self.trying.check(self.time)
            try:
                context.load_cert_chain(self.trying.certificate, self.trying.key)
            except ValueError as problem:
                raise X509Error(str(problem), "x509.malformed")
        except X509Error as problem:
            raise self._failed(problem)

    def join(self, device, client):
        """CONNECT, and hear who this is where that is asked; returns whether a session was present.

        An identity is in flash and read back before it is used. X509Error, StoreError or those of Client.connect.
        """
        if not self.hears:
            self.hears = True
            device.on(TOPIC, self._pushed)
        self.said = None
        try:
            if self._asks():
                client.user = ""
            present = client.connect(device.clean)
            if self._asks():
                self._hear(device, client)
            self._accepted(device)
        except AliotError as problem:
            raise self._failed(problem)
        return present

    # The parts of join().

    def _asks(self):
        return self.asking or not self.product_key or self.trying is not self.current

    def _hear(self, device, client):
        device.feed()
        limit = Deadline(min(device.config.get("push", _PUSH), device.timeout))
        while not self.said:
            left = limit.left()
            if not left:
                break
            client.poll(left)
        if not self.said and not (self.product_key and self.trying is self.current):
            raise X509Error("no identity within the deadline", "x509.push", "now")

    def _pushed(self, topic, payload):
        """The handler of the push; compares it with what is known."""
        try:
            found = json.loads(payload)
            identity = Identity(found["productKey"], found["deviceName"])
        except (AliotError, ValueError, KeyError, TypeError, AttributeError, RuntimeError):
            raise ProtocolError("the identity that was pushed is none")
        if self.product_key and (identity.product_key, identity.device_name) != (self.product_key, self.device_name):
            self.asking = self.asking or self.trying is self.current
            raise IdentityChanged("%s %s, not %s %s" % (
                identity.product_key, identity.device_name, self.product_key, self.device_name))
        self.said = identity

    def _accepted(self, device):
        """The platform took this certificate: keep what is new, and say what is left of its time."""
        identity = self.said
        pair = self.trying
        if not self.product_key:
            self.slots.keep("issued", {_PRODUCT_KEY: identity.product_key.encode(),
                                       _DEVICE_NAME: identity.device_name.encode()})
            device.state("stored", self.slots.health)
            device.product_key = self.product_key = identity.product_key
            device.device_name = self.device_name = identity.device_name
        if pair is not self.current:
            fields = {_CERTIFICATE: pair.certificate, _PRIVATE_KEY: pair.key}
            self.slots.keep("renewed", fields, pair.generation)
            pair.slot = "renewed"
            self.current = pair
            self.next = None
        self.turn = True
        self.asking = False
        device.state("certificate", {"serial": pair.serial, "slot": pair.slot, "expires": pair.expires,
                                     "days": (pair.ends - clock.now()) // 86400})

    def _failed(self, problem):
        """What to raise for `problem`: where the next certificate was tried, the current one gets its turn at once."""
        pair = self.trying
        code = problem.code
        if pair is not self.current:
            self.turn = not self.current
            return X509Error("%s: %s" % (code, problem.detail), "x509.trial", "now" if self.current else problem.retry)
        self.turn = True
        if code in ("mqtt.4", "mqtt.5"):
            self.asking = bool(self.product_key)  # next time, to hear whether it is another device's now
            return X509Error("%s; certificate %s" % (problem.detail, pair.serial), code, problem.retry)
        if code == "tls.alert":
            return X509Error("%s; certificate %s" % (problem.detail, pair.serial), "x509.refused", "later")
        return X509Error(problem.detail, code, problem.retry) if code == "x509.identity" else problem


def burned(fields, mac):
    """The `X509Certificate` of a burned record's fields; X509Error names what is missing or wrong.

    Host and port, where nobody burned them, are put into `fields`.
    """
    slots = Slots()
    issued = slots.read("issued")[1]
    made = X509Certificate(slots, text(fields, _CLIENT_ID), text(issued, _PRODUCT_KEY),
                           text(issued, _DEVICE_NAME))
    made.load(fields)
    region = sound("region", text(fields, _REGION) or "cn-shanghai", 1, 30, "-")
    fields.setdefault(_HOST, b"x509.itls.%s.aliyuncs.com" % region.encode())
    fields.setdefault(_PORT, b"\x5b\x07")  # 1883
    return made
