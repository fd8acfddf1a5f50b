"""Whatever a network sends: an answer or the end of the connection, and the cloud goes on."""

import asyncio
import base64
import contextlib
import json
import os
import random
import socket
import ssl
import time
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from host_tests.support.cloud.asker import Asker
from host_tests.support.cloud.centres import auth_form, auth_host
from host_tests.support.cloud.client import DN, PK, Client, connect_packet, form, register_packet
from host_tests.support.cloud.gateway import GDN, GPK, ONE, TWO, gateway_settings, pair, proxied
from host_tests.support.cloud.x509 import HOST, XDN, XPK, Factory, first, pem, present, root, x509_settings
from tools import serials
from tools.emulator.cloud import (
    alink,
    calls,
    codec,
    config,
    faults,
    identifier,
    login,
    registration,
    sntp,
    topics,
)
from tools.emulator.cloud.centres import bootstrap, guider, host_names
from tools.emulator.cloud.codes import MESSAGES
from tools.emulator.cloud.gateway.gateways import REQUESTS
from tools.emulator.cloud.gateway.operation import Asking
from tools.emulator.cloud.instance import Instance
from tools.emulator.cloud.process import toml
from tools.emulator.cloud.store import Store
from tools.emulator.cloud.turns import in_turns
from tools.emulator.cloud.web import BadRequest, Request, parse_head
from tools.emulator.cloud.x509 import association, registering
from tools.errors import UserError

FACTOR = float(os.environ.get("ALIOT_CAMPAIGN", "1"))
many = settings(max_examples=max(10, int(200 * FACTOR)), deadline=None)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)
keys = st.sampled_from(["id", "params", "sys", "method", "version", "deviceSendTime"])
CONFIG = config.parse(
    f'[[product]]\nproduct_key = "{PK}"\nproduct_secret = "s"\ndynamic_registration = true\n'
    f'[[product.device]]\ndevice_name = "{DN}"\n'
)


@pytest.fixture(scope="module")
def instance(tmp_path_factory):
    return Instance(CONFIG, Store(tmp_path_factory.mktemp("fuzz") / "state.sqlite"))


@pytest.fixture(scope="module")
def asker(instance):
    return Asker(instance, PK, DN)


@many
@given(
    st.sampled_from(
        [
            f"/sys/{PK}/{DN}/thing/event/property/post",
            f"/sys/{PK}/{DN}/thing/event/Alarm/post",
            f"/ext/ntp/{PK}/{DN}/request",
            f"/sys/{PK}/{DN}/thing/deviceinfo/update",
            f"/sys/{PK}/{DN}/x",
        ]
    ),
    st.binary(max_size=60)
    | (st.dictionaries(keys, json_values, max_size=5) | json_values).map(
        lambda value: json.dumps(value).encode()
    ),
)
def test_alink_payloads_of_all_sorts_have_json_replies_that_echo_the_id(asker, topic, payload):
    request = alink.parse(payload)
    for answer in asker.publish(topic, payload):
        value = json.loads(answer.payload)
        if "code" in value:
            assert value["code"] in MESSAGES
            assert json.dumps(value["id"]) == json.dumps((request or {}).get("id", ""))


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    """A platform with a gateway's session that is not connected."""
    chosen = config.parse(toml(gateway_settings()))
    instance = Instance(chosen, Store(tmp_path_factory.mktemp("gateway") / "state.sqlite"))
    return instance.gateways, instance.sessions.get((GPK, GDN, ""))


texts = st.text(max_size=8) | st.sampled_from(["\ud800", "hmacSha256", *ONE, "true"])
fields = st.dictionaries(
    st.sampled_from(
        [
            "productKey",
            "deviceName",
            "clientId",
            "timestamp",
            "signMethod",
            "sign",
            "cleanSession",
            "random",
            "identity",
            "properties",
        ]
    ),
    texts | json_values,
    max_size=6,
)
spoiled = st.tuples(st.sampled_from([pair(ONE), pair((GPK, GDN)), proxied(TWO)]), fields).map(
    lambda both: {**both[0], **both[1]}
)
items = st.lists(spoiled | fields | json_values, max_size=4)
params_ = (
    items
    | spoiled
    | json_values
    | st.fixed_dictionaries(
        {}, optional={"deviceList": items, "proxieds": items, "subDevices": items, "signMethod": texts}
    )
)


@many
@given(tail=st.sampled_from(list(REQUESTS)), params=params_)
def test_gateway_requests_of_all_sorts_have_a_reply_with_a_code_of_the_table(gateway, tail, params):
    platform, session = gateway
    stage, operation = REQUESTS[tail]
    request = json.loads(json.dumps({"id": "1", "params": params}))
    code, data, text = platform.carry_out(Asking(platform, session, stage), request, tail, operation)
    assert code in MESSAGES and text
    assert json.loads(alink.reply(request, code, data, text))["code"] == code
    if tail in ("thing/topo/add", "combine/login", "combine/batch_login"):
        assert code != 200  # nothing in it is signed with a secret


@pytest.mark.parametrize("number", ["\ud800", "x" * 100_000])
def test_ids_that_are_no_text_are_answered(number):
    request = json.loads(json.dumps({"id": number}))
    assert json.loads(alink.reply(request))["code"] == 200
    assert alink.parse(b"[" * 200_000) is None


@many
@given(
    body=st.binary(max_size=80)
    | st.dictionaries(st.sampled_from([*registration.FIELDS, "x"]), st.text(max_size=20), max_size=6).map(
        lambda fields: "&".join(f"{key}={value}" for key, value in fields.items()).encode(errors="replace")
    )
)
def test_registration_bodies_of_all_sorts_are_refused_with_a_documented_code(instance, body):
    request = registration.read(body, instance.registry)
    assert registration.verdict(request, instance.registry, CONFIG.switches) in set(calls.MESSAGES) - {200}


form_values = st.text(max_size=20) | st.sampled_from([PK, DN, "hmacmd5", "1", "mqtt", "default", "0" * 32])


@many
@given(
    call=st.sampled_from([guider.AUTH, bootstrap.BOOTSTRAP]),
    body=st.binary(max_size=80)
    | st.dictionaries(st.sampled_from([*guider.FIELDS, "x"]), form_values, max_size=9).map(
        lambda fields: urlencode(fields, errors="replace").encode()
    ),
    centre=st.sampled_from([CONFIG.region, "ap-southeast-1", host_names.GLOBAL]),
)
def test_forms_of_centres_of_all_sorts_have_a_documented_code(instance, call, body, centre):
    asked = call.read(Request("POST", "/", {}, {}, body), centre, instance)
    code = call.verdict(asked, instance)
    assert code in (460, 401, 5001) or (call is bootstrap.BOOTSTRAP and code == 200 and asked.device)


@many
@given(
    client_id=st.text(max_size=60)
    | st.dictionaries(
        st.sampled_from(
            ["securemode", "signmethod", "authType", "random", "timestamp", "authtype", "instanceId"]
        ),
        st.sampled_from(["2", "-2", "3", "-1", "0", "register", "regnwl", "connwl", "hmacsha256", "", "é"]),
        max_size=6,
    ).map(lambda extra: "c|" + ",".join(f"{key}={value}" for key, value in extra.items()) + "|"),
    username=st.none() | st.text(max_size=20) | st.just(f"{DN}&{PK}"),
    password=st.none() | st.binary(max_size=20),
    keep_alive=st.integers(0, 65535),
    transport=st.sampled_from(["tls", "tcp"]),
)
def test_logins_of_all_sorts_are_refused_with_a_connack_code(
    instance, client_id, username, password, keep_alive, transport
):
    verdict = login.decide(
        codec.Connect(client_id, username, password, keep_alive),
        transport,
        None,
        instance.registry,
        CONFIG,
        0.0,
    )
    assert verdict.code in (2, 3, 4)
    assert not password or len(password) < 8 or password.hex() not in verdict.reason  # "ec" is in many words


@many
@given(st.text(max_size=80))
def test_pure_parsers_raise_only_what_they_say(text):
    for parse in (identifier.parse_client_identifier, identifier.parse_username):
        try:
            parse(text)
        except ValueError:
            pass
    topics.device_of(text)
    topics.in_scope(text, topics.SUBSCRIBES, PK, DN)
    topics.matches(text, text)
    sntp.reply(text.encode(errors="replace"), 1e9)
    try:
        parse_head(text.encode(errors="replace"))
    except BadRequest:
        pass
    try:
        config.parse(text)
    except UserError as error:
        assert "\n" not in str(error)


@many
@given(
    json_values
    | st.dictionaries(
        st.sampled_from(["where", "when", "kind", "times", "bytes", "ms", "code", "pk"]),
        st.sampled_from(["mqtt_tls", "connect", "cut", "refuse", 1, -1, None, True, [], 1.5]),
    )
)
def test_fault_requests_of_all_sorts(value):
    try:
        assert faults.read(value).show()
    except ValueError as error:
        assert "\n" not in str(error)


def mutated(source, stream):
    """One to four changes: a byte flipped, a piece cut out, doubled or thrown in."""
    data = bytearray(stream)
    for _ in range(source.randint(1, 4)):
        at = source.randrange(len(data) + 1)
        kind = source.randrange(4)
        if kind == 0 and at < len(data):
            data[at] ^= 1 << source.randrange(8)
        elif kind == 1:
            del data[at : at + source.randrange(20)]
        elif kind == 2:
            data[at:at] = data[at : at + source.randrange(20)]
        else:
            data[at:at] = source.randbytes(source.randrange(8))
    return bytes(data)


@pytest.mark.parametrize("where", ["mqtt_tcp", "mqtt_tls", "https", "admin"])
def test_mutated_conversations_never_break_the_cloud(run, where):
    """What breaks inside the cloud fails the harness; at the end an honest client is still served."""
    source = random.Random(f"{where} {FACTOR}")
    mode = "3" if where == "mqtt_tcp" else "2"
    user = f"/{PK}/{DN}/user/a"
    talk = b"".join(
        packet.encode()
        for packet in (
            connect_packet(mode=mode, keep_alive=60),
            codec.Subscribe(1, ((user, 1),)),
            codec.Publish(user, b"x" * 50, 1, 2),
            codec.Ack("puback", 1),
            codec.Pingreq(),
            codec.Unsubscribe(3, (user,)),
            codec.Publish(user, b"y"),
            codec.Disconnect(),
        )
    )
    text = "&".join(f"{key}={value}" for key, value in form().items())
    head = f"POST /auth/register/device HTTP/1.1\r\nHost: x\r\nContent-Length: {len(text)}\r\n\r\n"
    post = (head + text).encode()
    auth = urlencode(auth_form(dn="another"))
    asks = (
        f"POST /auth/devicename HTTP/1.1\r\nHost: {auth_host('ap-southeast-1')}\r\n"
        f"Content-Length: {len(auth)}\r\n\r\n{auth}"
        f"GET /auth/bootstrap/regionId/cn-shanghai HTTP/1.1\r\nHost: {host_names.GLOBAL_AUTH_HOST}\r\n\r\n"
    )
    streams = {
        "https": [post * 2, asks.encode()],
        "admin": [b"GET /devices HTTP/1.1\r\nHost: localhost\r\n\r\n" * 2],
    }.get(where, [talk, register_packet().encode() + codec.Disconnect().encode()])
    with run() as cloud:
        for _ in range(int(60 * FACTOR)):
            data = mutated(source, source.choice(streams))
            if where in ("mqtt_tcp", "admin"):
                link = socket.create_connection(("127.0.0.1", cloud.ports[where]), 20)
            else:
                link = cloud.open(where)
            with link:
                for _ in range(2):
                    piece, data = data[: len(data) // 2], data[len(data) // 2 :]
                    try:
                        link.sendall(piece)
                    except OSError:
                        break
        assert cloud.device()["device_name"] == DN
        with cloud.mqtt("mqtt_tcp") as client:
            client.online(connect_packet(mode="3", secret=cloud.device()["device_secret"]))


def test_mutated_tls_handshakes_never_break_the_cloud(run):
    source = random.Random(7)
    with run() as cloud:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = cloud.trust.wrap_bio(incoming, outgoing, server_hostname="x.mqtt.iothub.aliyuncs.com")
        with pytest.raises(ssl.SSLWantReadError):
            tls.do_handshake()
        hello = outgoing.read()
        for _ in range(int(60 * FACTOR)):
            with socket.create_connection(("127.0.0.1", cloud.ports["mqtt_tls"]), 20) as link:
                link.sendall(mutated(source, hello))
        with cloud.mqtt() as client:
            client.online(connect_packet())


cells = st.sampled_from([XPK, XDN, "A", "0", "ProductKey", "CertSN", "", '"', "\x00", "\n"])
rows_ = st.lists(st.lists(cells, max_size=4).map(",".join), max_size=6)


@many
@given(st.text(max_size=60) | rows_.map(lambda rows: "\n".join(["ProductKey,DeviceName,CertSN", *rows])))
def test_association_files_of_all_sorts_are_good_or_refused_in_words(text):
    product = config.parse(toml(x509_settings())).products[0]
    known = type("Product", (), {"devices": {one.device_name for one in product.devices}})
    try:
        rows = asyncio.run(in_turns(association.check(text, 5, lambda pk: known, lambda *row: None)))
        assert rows and all(row.device_name == XDN and serials.normal(row.serial) for row in rows)
    except association.Unusable as problem:
        assert str(problem) and all(text for _, text in problem.rows)


def test_mutated_certificates_are_refused_in_words():
    from cryptography.hazmat.primitives.serialization import Encoding

    source, good, chosen = random.Random(6), root(), config.parse(toml(x509_settings()))
    der = good.public_bytes(Encoding.DER)
    for _ in range(int(300 * FACTOR)):
        data = mutated(source, source.choice([der, pem(good).encode()]))
        text = data.decode() if data.isascii() else base64.b64encode(data).decode()
        for certificate, verification in ((text, pem(good)), (pem(good), text)):
            with pytest.raises(registering.Refused):  # the code fits no certificate there is
                registering.check(
                    registering.Asked("CA_1", certificate, verification), {}, "code", chosen, time.time()
                )


def flight(tls, incoming, outgoing, link):
    """What the client sends next in its handshake."""
    while True:
        with contextlib.suppress(ssl.SSLWantReadError):
            tls.do_handshake()
        if outgoing.pending:
            return outgoing.read()
        incoming.write(link.recv(65536))


def test_mutated_client_certificates_never_break_the_cloud(run, tmp_path):
    """The client's flights with a certificate in them, changed on their way; then an honest one comes."""
    source = random.Random(11)
    with run(x509_settings()) as cloud:
        factory = Factory(cloud, tmp_path)
        pair = factory.ready()
        trust = ssl.create_default_context(cafile=cloud.run_dir / "ca.pem")
        trust.maximum_version = ssl.TLSVersion.TLSv1_2
        trust.load_cert_chain(*pair)
        for _ in range(int(40 * FACTOR)):
            with socket.create_connection(("127.0.0.1", cloud.ports["x509"]), 20) as link:
                incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
                tls = trust.wrap_bio(incoming, outgoing, server_hostname=HOST)
                link.sendall(flight(tls, incoming, outgoing, link))
                link.sendall(mutated(source, flight(tls, incoming, outgoing, link)))
                link.shutdown(socket.SHUT_WR)
                with contextlib.suppress(ConnectionResetError):
                    while link.recv(65536):
                        pass
        with Client(present(cloud, *pair)) as device:
            device.online(first())
