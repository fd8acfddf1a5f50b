"""X.509: an identity that is a certificate and its key; the platform says whose it is (x509.md). The kind `x509`.

Opt-in: nothing of it is loaded unless a board's record asks for it. What only a start, a first connect or a failure
needs is in parts that are imported then and dropped again.
"""

from aliot import clock, drop, load, record, unload
from aliot.credentials import Credential
from aliot.errors import AliotError, CredentialError

TOPIC = "/ext/auth/identity/response"


def clear():
    """Drop the parts of this package that only some moments need."""
    drop("x509.der", "x509.failing", "x509.learning", "x509.pairs", "x509.slots", "names")
    unload("store", "record")


class X509Error(CredentialError):
    """What is wrong with a certificate, or with what the platform thinks of it; codes `x509...`, `mqtt.4`, `mqtt.5`.

    Another identity than the stored one (`x509.identity`) is a LinkError when it comes over an open connection.
    """

    code = "x509.missing"

    @property
    def advice(self):
        """One sentence of what to do; a refusal of CONNECT means something of its own here."""
        code = self.code
        return AliotError(code="x509." + code if code.startswith("mqtt") else code).advice


class Pair:
    """A certificate and its private key, both DER, that belong together (aliot.x509.slots has looked).

    serial in the normal form of x509.md 3.1, expires as YYYY-MM-DD, begins and ends in seconds since 1970; slot
    is where it lies: "burned", "renewed" or "next", with the generation of that record.
    """

    def check(self, now):
        """X509Error unless it is valid at `now`, in seconds since 1970; None: the clock is only a lower bound."""
        if self.ends < (now or clock.utc()) or now and now < self.begins:
            raise load("x509.failing").dated(self, now)


class X509Certificate(Credential):
    """The platform names this device; product_key and device_name are "" until it has.

    `current` is the pair in use, `next` one that is to be tried, either may be None. At each connect the next
    one goes first; where it fails the current one follows, and so on in turn.
    """

    product_key = device_name = client_id = ""
    current = next = trying = None
    turn = True  # it is the turn of the next one
    asking = False  # CONNECT without an identity, to hear which one the platform has
    named = None  # the identity that was pushed on this connection,
    fault = None  # or what is wrong with it
    hears = False  # the handler of the push is there
    time = None  # of the clock, when a server has set it

    def __init__(self, generation):
        self.generation = generation  # of the burned record

    # What a Device, its transport and its store call.

    def fields(self):
        """What is kept of an identity beside its owner."""
        return {record.KIND: b"x509"}

    def locate(self, settings):
        """X.509 has a host of its own in each region; x509.md 2."""
        if not settings.host:
            settings.host = "x509.itls.%s.aliyuncs.com" % (settings.region or "cn-shanghai")
        settings.port = settings.port or 1883

    def login(self, timestamp, sign_method):
        """(client id, its settings, password) of CONNECT (x509.md 4.1, 4.3): the first form, or that of a reconnect."""
        self.time = timestamp and timestamp // 1000
        self.trying = self.next if self.next and (self.turn or not self.current) else self.current
        if self.asks():
            return ".", "securemode=2", ""
        settings = "securemode=2,signmethod=" + sign_method
        if timestamp is not None:
            settings += ",timestamp=%s" % timestamp
        return self.client_id or self.device_name, settings, ""

    def present(self, context):
        """Give the TLS context the certificate whose turn it is; True. X509Error when it cannot be used now."""
        try:
            self.trying.check(self.time)
            try:
                context.load_cert_chain(self.trying.certificate, self.trying.key)
                return True
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
            device.on(TOPIC, lambda topic, payload: self._pushed(device, payload))
        self.named = self.fault = None
        pair = self.trying
        try:
            if self.asks():
                client.user = ""
                present = client.connect(device.clean)
                load("x509.learning").learn(self, device, client)
                clear()  # what hears it and what keeps it do not share the memory
                if not self.product_key:
                    self._keep(device)
                if pair is not self.current:
                    load("x509.slots").take_over(self, device.store)
                self.asking = False
            else:
                present = client.connect(device.clean)
        except AliotError as problem:
            raise self._failed(problem)
        clear()
        self.turn = True
        device.state(
            "certificate",
            {
                "serial": pair.serial,
                "slot": pair.slot,
                "expires": pair.expires,
                "days": (pair.ends - clock.utc()) // 86400,
            },
        )
        return present

    # For the parts of this package.

    def asks(self):
        """Whether this connection has to hear who this device is."""
        return self.asking or not self.product_key or self.trying is not self.current

    def _pushed(self, device, payload):
        """The handler of the push; one that cannot be right ends the connection."""
        load("x509.learning").pushed(self, payload)
        if device.client:
            clear()
            if self.fault:
                device.lost(device.client, self.fault)

    def _keep(self, device):
        """Keep the identity that was pushed. StoreError when no medium keeps it."""
        store = device.store or load("store").Store()
        store.save(self.generation, self.named, self)
        device.state("stored", store.health)
        device.product_key = self.product_key = self.named.product_key
        device.device_name = self.device_name = self.named.device_name

    def _failed(self, problem):
        made = load("x509.failing").failed(self, problem)
        clear()
        return made


def burned(fields, generation, mac, store):
    """The `X509Certificate` of a burned record's fields; X509Error names what is missing or wrong."""
    made = X509Certificate(generation)
    try:
        kept = load("x509.slots").kept(made, fields, store)
        drop("x509.slots")  # what reads flash and what reads certificates do not share the memory
        load("x509.pairs").choose(made, kept)
    finally:
        drop("x509.pairs", "x509.der")
    return made
