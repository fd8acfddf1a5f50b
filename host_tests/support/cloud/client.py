"""The cloud inside the test's own process, and a small MQTT client of the tests' own.

The server runs on a thread with real sockets; certificates are made once a
worker and copied, so that a cloud with another configuration costs
milliseconds.
"""

import asyncio
import hashlib
import hmac
import http.client
import json
import select
import shutil
import socket
import ssl
import threading
from pathlib import Path
from urllib.parse import urlencode

from host_tests.support import paths
from tools.emulator.cloud import codec, config
from tools.emulator.cloud.process import toml
from tools.emulator.cloud.server import Server

PK, DN, DS, PS = "a1TESTpk001", "dev_0001", "0123456789abcdef0123456789abcdef", "ProductSecret016"
INSTANCE = "iot-test01"
HOST = f"{INSTANCE}.mqtt.iothub.aliyuncs.com"
AUTH_HOST = "iot-auth.cn-shanghai.aliyuncs.com"
VECTORS = {vector["name"]: vector for vector in json.loads((paths.VECTORS / "vectors.json").read_text())}
WAIT = 20  # seconds; a bound for what must happen, never a pace
T = f"/sys/{PK}/{DN}/"
USER = f"/{PK}/{DN}/user/"


def settings(switches=None, timing=None, limits=None, kind="enterprise", region="cn-shanghai", **product):
    """A configuration dict: the vectors' product and device on the instance of the vectors."""
    device = product.pop("device", [{"device_name": DN, "device_secret": DS}])
    return {
        "instance": {"kind": kind, "id": INSTANCE, "region": region},
        "product": [
            {
                "product_key": PK,
                "product_secret": PS,
                "dynamic_registration": True,
                "preregistration_free": True,
                **product,
                "device": device,
            }
        ],
        "switches": switches or {},
        "timing": timing or {},
        "limits": limits or {},
    }


class Running:
    """A `Server` on a thread. `admin` and `arm` go over the real admin port. More `options` are the server's."""

    def __init__(self, settings, run_dir, certificates=None, tls13=False, **options):
        self.run_dir = Path(run_dir)
        self.run_dir.mkdir(exist_ok=True)
        for name in sorted(Path(certificates).iterdir()) if certificates else ():
            shutil.copy(name, self.run_dir / name.name)
        self.config = config.parse(settings if isinstance(settings, str) else toml(settings))
        self.tls13, self.options = tls13, options
        self.loop = asyncio.new_event_loop()
        self.broken = []
        self.loop.set_exception_handler(lambda loop, context: self.broken.append(context))
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)

    def __enter__(self):
        self.thread.start()
        self.server = self.call(self.serve())
        self.instance, self.ports = self.server.instance, self.server.ports
        self.trust = ssl.create_default_context(cafile=self.run_dir / "ca.pem")
        self.trust.maximum_version = ssl.TLSVersion.TLSv1_3 if self.tls13 else ssl.TLSVersion.TLSv1_2
        return self

    async def serve(self):
        server = Server(self.config, self.run_dir, tls13=self.tls13, **self.options)
        await server.start()
        return server

    def __exit__(self, *_):
        self.call(self.server.stop())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(WAIT)
        self.loop.close()
        assert not self.broken, self.broken

    def call(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(WAIT)

    def advance(self, seconds):
        """Moves the clock that the cloud's timers run on; what falls due has happened on return."""
        self.call(asyncio.sleep(0))  # a step that is under way sets its timers by the clock before
        before = self.loop.time
        self.loop.time = lambda: before() + seconds
        for _ in range(3):
            self.call(asyncio.sleep(0))

    def admin(self, method, path, body=None, status=200, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.ports["admin"], timeout=WAIT)
        connection.request(method, path, None if body is None else json.dumps(body), headers or {})
        response = connection.getresponse()
        answer = json.loads(response.read())
        connection.close()
        assert response.status == status, answer
        return answer

    def device(self, dn=DN, pk=PK, secret=True):
        return self.admin("GET", f"/devices/{pk}/{dn}" + ("?secret=1" if secret else ""))

    def arm(self, where, when, kind, **parameters):
        return self.admin("POST", "/faults", {"where": where, "when": when, "kind": kind, **parameters})

    def log(self, **wanted):
        return self.admin("GET", "/log?" + urlencode(wanted))

    def messages(self, **wanted):
        return self.admin("GET", "/messages?" + urlencode(wanted))

    def open(self, where="mqtt_tls", host=HOST):
        """A connected socket to a listener, TLS verified where it is one."""
        plain = socket.create_connection(("127.0.0.1", self.ports[where]), WAIT)
        if where == "mqtt_tcp":
            return plain
        try:
            return self.trust.wrap_socket(plain, server_hostname=host, suppress_ragged_eofs=False)
        except BaseException:
            plain.close()
            raise

    def https(self, body, path="/auth/register/device", method="POST", host=AUTH_HOST):
        """(status, JSON) of one registration request; `body` is text or a dict of fields."""
        text = body if isinstance(body, str) else "&".join(f"{key}={value}" for key, value in body.items())
        status, _, answer = self.https_raw(
            f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n"
            "Content-Type: application/x-www-form-urlencoded\r\n"
            f"Content-Length: {len(text.encode())}\r\n\r\n{text}",
            host,
        )
        return status, json.loads(answer)

    def https_raw(self, request, host=AUTH_HOST):
        """(status, header text, body bytes) of a request sent as it is."""
        with self.open("https", host) as link:
            link.sendall(request.encode())
            answer = read_all(link)
        head, _, body = answer.partition(b"\r\n\r\n")
        return int(head.split()[1]), head.decode(), body

    def mqtt(self, where="mqtt_tls", host=HOST):
        return Client(self.open(where, host))


def read_all(link):
    """Everything until the peer ends; a missing TLS goodbye ends it as well."""
    data = b""
    while True:
        try:
            piece = link.recv(65536)
        except (ssl.SSLEOFError, ConnectionResetError):
            return data
        if not piece:
            return data
        data += piece


def sign(secret, content, method="sha256"):
    """The HMAC of a text in hex, direct.md 1.2."""
    return hmac.new(secret.encode(), content.encode(), getattr(hashlib, method)).hexdigest()


def connect_packet(dn=DN, pk=PK, secret=DS, client_id="dev", extra=None, mode="2", keep_alive=300, **fields):
    """A CONNECT signed with the DeviceSecret, hmacsha256."""
    identifier = f"{client_id}|securemode={mode},signmethod=hmacsha256{',' + extra if extra else ''}|"
    password = sign(secret, f"clientId{client_id}deviceName{dn}productKey{pk}")
    return codec.Connect(
        **{
            "client_id": identifier,
            "username": f"{dn}&{pk}",
            "password": password.encode(),
            "keep_alive": keep_alive,
            **fields,
        }
    )


def register_packet(
    kind="register", dn=DN, pk=PK, secret=PS, mode="2", instance=None, random="r1", keep_alive=0
):
    """A registration CONNECT signed with the ProductSecret."""
    extra = f",instanceId={instance}" if instance else ""
    identifier = f"dev|random={random},authType={kind},securemode={mode},signmethod=hmacsha256{extra}|"
    password = sign(secret, f"deviceName{dn}productKey{pk}random{random}")
    return codec.Connect(identifier, f"{dn}&{pk}", password.encode(), keep_alive)


def unit_packet(unit, dn=DN, pk=PK, auth="connwl", **fields):
    """A connect with what a preregistration-free registration gave."""
    return codec.Connect(
        **{
            "client_id": f"{unit['clientId']}|securemode=-2,authType={auth}|",
            "username": f"{dn}&{pk}",
            "password": unit["deviceToken"].encode(),
            "keep_alive": 300,
            **fields,
        }
    )


def form(dn=DN, pk=PK, secret=PS, method="hmacsha256", random="r1", **more):
    """The fields of an HTTPS registration."""
    signed = sign(secret, f"deviceName{dn}productKey{pk}random{random}", method.lower().removeprefix("hmac"))
    return {
        "productKey": pk,
        "deviceName": dn,
        "random": random,
        "sign": signed,
        "signMethod": method,
        **more,
    }


class Closed(Exception):
    """The cloud ended the connection; the text is how: "fin", "goodbye" or "reset"."""


class Client:
    """One MQTT connection: sends packets, reads packets."""

    def __init__(self, link):
        self.link = link
        self.decoder = codec.Decoder()
        self.packets = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.link.close()

    def send(self, *packets):
        for packet in packets:
            self.link.sendall(packet if isinstance(packet, bytes) else packet.encode())

    def read(self):
        """The next packet; raises `Closed`."""
        while not self.packets:
            try:
                data = self.link.recv(65536)
            except ssl.SSLEOFError:
                raise Closed("fin") from None
            except (ConnectionResetError, ssl.SSLZeroReturnError):
                raise Closed("reset") from None
            if not data:
                raise Closed("goodbye" if isinstance(self.link, ssl.SSLSocket) else "fin")
            self.packets += self.decoder.feed(data)
        return self.packets.pop(0)

    def ask(self, packet):
        self.send(packet)
        return self.read()

    def login(self, packet):
        """Sends a CONNECT; the CONNACK's code."""
        return self.ask(packet).code

    def online(self, packet):
        assert self.login(packet) == 0
        return self

    def nothing(self):
        """That nothing has come, after a round trip has shown that the cloud has dealt with all before."""
        answer = self.ask(codec.Pingreq())
        assert isinstance(answer, codec.Pingresp), answer
        assert not self.packets

    def silent(self, seconds=0.2):
        """Whether nothing at all comes for so long."""
        if self.packets:
            return False
        pending = isinstance(self.link, ssl.SSLSocket) and self.link.pending()
        return not pending and not select.select([self.link], [], [], seconds)[0]

    def closed(self):
        """How the cloud ended the connection, whatever came before."""
        try:
            while True:
                self.read()
        except Closed as how:
            return str(how)

    def subscribe(self, *topics, qos=0):
        return self.ask(codec.Subscribe(1, tuple((topic, qos) for topic in topics))).codes


def registered(client, packet):
    """The JSON of a registration's push, and its PUBLISH."""
    assert client.login(packet) == 0
    push = client.read()
    return json.loads(push.payload), push


def login(cloud, packet, where="mqtt_tls", host=HOST):
    with Client(cloud.open(where, host)) as client:
        return client.login(packet)


FORM = "&".join(f"{key}={value}" for key, value in form().items())


REQUEST = (
    f"POST /auth/register/device HTTP/1.1\r\nHost: {AUTH_HOST}\r\nConnection: close\r\n"
    f"Content-Length: {len(FORM)}\r\n\r\n{FORM}"
)


def publish(cloud, topic, payload="hello", qos=0):
    return cloud.admin("POST", "/publish", {"topic": topic, "payload": payload, "qos": qos})


def wait_offline(cloud, dn=DN):
    """Returns once the cloud has seen the device's socket end."""
    import time

    limit = time.monotonic() + 20
    while cloud.device(dn)["status"] == "online":
        assert time.monotonic() < limit
