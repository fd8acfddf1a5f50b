"""Where to connect, asked of the platform: HTTPS authentication before MQTT, and bootstrap; direct.md 6.

auth      bootstrap        a connect is preceded by, where nothing is kept
mqtt      region, global   /auth/bootstrap of the region's centre, or of the global one
https     none             /auth/devicename of the region's centre: a token, and where to take it
https     region           the same with ext=1: the centre may send the device on to the nearest one
https     global           /auth/bootstrap of the global centre, then /auth/devicename of the centre it names

Imported only by boards that ask. What was told is kept in flash (aliot.bootstrap.cache) once a connect with it has
succeeded, and thrown away when one fails: then the next try begins with the question again, once.
"""

from aliot import load, unload
from aliot.credentials import Credential
from aliot.endpoint import Endpoint
from micropython import const

GLOBAL = "iot-auth-global.aliyuncs.com"
NOTIFY = "thing/bootstrap/notify"
_LIFE = const(604800)  # s; a token lives 7 days


class Token(Credential):
    """What /auth/devicename issued to the device of `own`: who it is in CONNECT, for a while."""

    def __init__(self, own, iot_id, iot_token):
        super().__init__(own.product_key, own.device_name)
        self.iot_id = iot_id
        self.iot_token = iot_token  # a Secret

    def login(self, timestamp, sign_method):
        """(client id, its settings, password, user name); direct.md 6.1. Nothing here is signed."""
        settings = "securemode=-1,signmethod=" + sign_method
        if timestamp is not None:
            settings += ",timestamp=%s" % timestamp
        name = "%s.%s" % (self.product_key, self.device_name)
        return name, settings, self.iot_token.reveal(), self.iot_id


class AskingEndpoint(Endpoint):
    """An Endpoint whose host and port the platform tells. Its rarer steps are modules here, dropped after use."""

    own = None  # type: Credential | None  # the one that is in flash
    token = None  # type: Token | None
    address = None  # type: tuple | None  # (host, port); None: to be asked
    since = 0  # when, in seconds since 1970; 0: by a clock that was not set
    renewed = 0  # when the token was asked for
    notice = None  # id of the last notice that was followed
    used = False  # a connect with what was told has succeeded
    saved = b""  # what flash holds

    def __init__(self, host, port, instance, register_host, auth, bootstrap):
        super().__init__(host, port, instance, register_host)
        self.auth = auth
        self.bootstrap = bootstrap

    # What a Device calls.

    def prepare(self, device):
        """Whether host, port and token are known. If not, one question is asked; the next call goes on.

        LinkError, or an error of aliot.bootstrap.refusals.
        """
        if not self.own:
            self._begin(device)
        if self.token and (self.age(self.renewed) or 0) >= _LIFE:
            self.drop_token(device)
        question = self.question()
        if question:
            try:
                load("bootstrap.exchange").ask(self, device, *question)
            finally:
                _drop()
        return not question

    def failed(self, device, problem):
        """A connect, or a question, has failed: what was told is thrown away. Returns the error to report."""
        if problem.code == "mqtt.3" and self.token and self.used:
            # CONNACK 3 is also what a busy platform says: then the new token finds that out
            self.drop_token(device)
            problem = load("bootstrap.refusals").StaleToken(problem.detail)
        else:
            load("bootstrap.cache").throw_away(self, device)
        _drop()
        return problem

    # For the parts of this package.

    def question(self):
        """(host, path) of what has to be asked next, or None."""
        if not self.address and (self.bootstrap == "global" or self.auth == "mqtt"):
            return GLOBAL if self.bootstrap == "global" else self.register_host, "/auth/bootstrap"
        if self.auth == "https" and not self.token:
            return self.centre(), "/auth/devicename"
        return None

    def centre(self):
        """The host of the centre that authenticates: of the region that bootstrap told, else as burned."""
        labels = self.host.split(".")
        if self.address and self.bootstrap == "global" and labels[-4] == "iot-as-mqtt":
            return "iot-auth.%s.aliyuncs.com" % labels[-3]
        return self.register_host

    def take(self, device, host, port, iot_id="", iot_token=""):
        """Go there from now on, as whom."""
        self.address = host, port
        self.go(host, port)
        if iot_id:
            self.token = device.credential = Token(self.own, iot_id, iot_token)
        device.state("guided", {"host": host, "port": port, "age": self.age(self.since)})

    def drop_token(self, device):
        if self.token:
            self.token = None
            device.credential = self.own

    def age(self, since):
        """Seconds since then, by the clock; None when one of the two times is not from a server."""
        from aliot import clock  # here: the tools on the host import this module

        now = clock.utc()
        return now - since if since and clock.server and now >= since else None

    def _begin(self, device):
        """Take over a Device's credential, and go where flash says."""
        self.own = device.credential
        if self.bootstrap != "none":
            device.subscribe(NOTIFY, lambda topic, payload: self._notified(device, topic, payload))
        device.watch(lambda state, fields: state == "connected" and self._connected(device))
        load("bootstrap.cache").restore(self, device)
        _drop()

    def _connected(self, device):
        """A connect with what was told has succeeded: into flash with it, where flash does not have it."""
        if not self.used:
            load("bootstrap.cache").keep(self, device)
            _drop()

    def _notified(self, device, topic, payload):
        try:
            load("bootstrap.notice").arrived(self, device, topic, payload)
        finally:
            _drop()


def _drop():
    """Drop the parts that only some moments need."""
    unload(
        "bootstrap.cache",
        "bootstrap.exchange",
        "bootstrap.messages",
        "bootstrap.notice",
        "bootstrap.refusals",
        "bootstrap.settings",
        "registration",
        "registration.https",
        "registration.kept",
        "http",
        "names",
        "objects",
        "identities",
        "store",
        "record",
    )
