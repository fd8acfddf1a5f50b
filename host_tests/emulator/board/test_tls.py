"""The board's `tls` verifies, fails and times out as mbedTLS on a chip does, on both interpreters."""

import datetime
import ssl

import pytest
from cryptography import x509

from host_tests.support import peers

BEGIN = """
import network, socket, tls, time, machine, select
w = network.WLAN(network.STA_IF)
w.active(True)
w.connect("home", "password")
machine.RTC().datetime(%r)
CA = %r
def stream(name, ca=CA, port=443, timeout=5, mode=None, hostname=True):
    context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
    if ca:
        context.load_verify_locations(ca)
    if mode is not None:
        context.verify_mode = mode
    s = socket.socket()
    s.settimeout(timeout)
    s.connect(socket.getaddrinfo(name, port)[0][-1])
    try:
        return context.wrap_socket(s, server_hostname=(name if hostname is True else hostname)), s
    except BaseException:
        s.close()
        raise
def refused(*arguments, **options):
    try:
        stream(*arguments, **options)
        print("accepted")
    except ValueError as error:
        print("ValueError", error.args[0].strip())
    except OSError as error:
        print("OSError", error.args[0])
"""
UNTRUSTED = "ValueError The certificate is not correctly signed by the trusted CA"
NAME = "ValueError The certificate Common Name (CN) does not match with the expected CN"

# (name, program after BEGIN, what it prints)
FACTS = [
    (
        "verified by default, and talks",
        "t, s = stream('good.test'); t.write(b'hello'); print(t.read(5), "
        "tls.SSLContext(tls.PROTOCOL_TLS_CLIENT).verify_mode)",
        ["b'hello' 2"],
    ),
    ("a root as PEM", "t, s = stream('good.test', PEM); print(t.write(b'x'))", ["1"]),
    ("of two DERs in one only the first counts", "refused('good.test', OTHER + CA)", [UNTRUSTED]),
    (
        "two calls make two roots",
        "c = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT); c.load_verify_locations(OTHER); "
        "c.load_verify_locations(CA)\n"
        "s = socket.socket(); s.connect(socket.getaddrinfo('good.test', 443)[0][-1])\n"
        "print(c.wrap_socket(s, server_hostname='good.test').write(b'abc'))",
        ["3"],
    ),
    ("another root", "refused('good.test', OTHER)", [UNTRUSTED]),
    ("no root", "refused('good.test', None)", ["OSError -30336"]),
    ("a root that is none", "refused('good.test', b'0\\x03abc')", ["ValueError invalid cert"]),
    ("another name", "refused('other.test')", [NAME]),
    ("expired", "refused('expired.test')", ["ValueError The certificate validity has expired"]),
    ("not valid yet", "refused('future.test')", ["ValueError The certificate validity starts in the future"]),
    (
        "a name is asked for",
        "refused('good.test', hostname=None)",
        ["ValueError CERT_REQUIRED requires server_hostname"],
    ),
    (
        "a wildcard is one label",
        "print(stream('one.wild.test')[0].write(b'a')); refused('a.one.wild.test')",
        ["1", NAME],
    ),
    (
        "without verification anything goes",
        "print(stream('expired.test', None, mode=tls.CERT_NONE)[0].write(b'a'))",
        ["1"],
    ),
    (
        "CERT_OPTIONAL verifies nothing",
        "print(stream('other.test', mode=tls.CERT_OPTIONAL)[0].write(b'a'))",
        ["1"],
    ),
    ("TLS 1.3 is not offered", "refused('new.test')", ["OSError -30592"]),
    ("a client certificate that is not there is an alert", "refused('mutual.test')", ["OSError -30592"]),
    ("not TLS at all", "refused('plain.test')", ["OSError -29184"]),
    ("silence in the handshake is ETIMEDOUT", "refused('silent.test', timeout=0.2)", ["OSError 116"]),
    ("the end in the handshake", "refused('closing.test')", ["OSError -29312"]),
    (
        "a read that times out is ETIMEDOUT, negative, and for ever",
        "t, s = stream('good.test', timeout=0.2); t.write(b'half')\nfor _ in range(2):\n    try:\n"
        "        t.read(5)\n"
        "    except OSError as e:\n        print(e.args[0])",
        ["-116", "-116"],
    ),
    (
        "the timeout of the socket below holds after wrapping too",
        "t, s = stream('good.test'); s.settimeout(0.2); t.write(b'half')\ntry:\n    t.read(5)\n"
        "except OSError as e:\n    print(e.args[0])",
        ["-116"],
    ),
    (
        "the end of the stream is an empty read, and the write after it works",
        "t, s = stream('good.test'); t.write(b'close'); print(t.read(1), t.write(b'x'))",
        ["b'' 1"],
    ),
    (
        "poll sees what TLS holds",
        "t, s = stream('good.test'); p = select.poll(); p.register(t, select.POLLIN); print(p.poll(0)); "
        "t.write(b'abcdef')\n"
        "print(len(p.poll(5000)), t.read(1), len(p.poll(0)), t.read(5), p.poll(0))",
        ["[]", "1 b'a' 1 b'bcdef' []"],
    ),
    (
        "a read that may not block gives None",
        "t, s = stream('good.test'); s.setblocking(False); print(t.read(1))",
        ["None"],
    ),
    (
        "closed twice",
        "t, s = stream('good.test'); t.close(); t.close()\n"
        "l = [socket.socket() for _ in range(10)]; print('ten')",
        ["ten"],
    ),
]


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    return peers.Authority(tmp_path_factory.mktemp("other"), "another root")


@pytest.fixture(scope="module")
def hosts(authority, serve):
    good = authority.issue("good.test")
    wild = authority.issue("*.wild.test", alternatives=[x509.DNSName("*.wild.test")])
    handlers = {
        "good.test": peers.tls(good, peers.echo),
        "other.test": peers.tls(good, peers.echo),
        "expired.test": peers.tls(authority.issue("expired.test", -30, -1), peers.echo),
        "future.test": peers.tls(authority.issue("future.test", 1, 30), peers.echo),
        "one.wild.test": peers.tls(wild, peers.echo),
        "a.one.wild.test": peers.tls(wild, peers.echo),
        "new.test": peers.tls(good, peers.echo, (ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_3)),
        "mutual.test": peers.tls(authority.issue("mutual.test"), peers.echo, client_ca=authority.pem),
        "plain.test": peers.web,
        "silent.test": peers.silent,
        "closing.test": lambda connection: connection.recv(4096),
    }
    return {name: {443: serve(handler)} for name, handler in handlers.items()}


@pytest.fixture
def begin(authority, other):
    def text(now=None):
        at = now or datetime.datetime.now(datetime.timezone.utc)
        fields = (at.year, at.month, at.day, at.weekday(), at.hour, at.minute, at.second, 0)
        return BEGIN % (fields, authority.der) + f"PEM = {authority.pem!r}\nOTHER = {other.der!r}\n"

    return text


@pytest.mark.parametrize("program, printed", [row[1:] for row in FACTS], ids=[row[0] for row in FACTS])
def test_fact(prints, hosts, begin, program, printed):
    assert prints(begin() + program, hosts=hosts) == printed


def test_in_the_year_2000_no_certificate_is_valid_yet(prints, hosts, begin):
    """A chip's clock at power on, which TLS reads: a date before that of any certificate."""
    program = (
        begin().replace("machine.RTC().datetime", "str") + "print(time.gmtime()[0]); refused('good.test')"
    )
    assert prints(program, hosts=hosts) == [
        "2000",
        "ValueError The certificate validity starts in the future",
    ]


def test_a_clock_far_ahead_makes_a_certificate_expired(prints, hosts, begin):
    later = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=400)
    assert prints(begin(later) + "refused('good.test')", hosts=hosts) == [
        "ValueError The certificate validity has expired"
    ]


def test_a_client_certificate_in_der_is_taken(prints, hosts, begin, authority):
    from cryptography.hazmat.primitives import serialization

    certificate, key = authority.issue("device.test")
    der = x509.load_pem_x509_certificate(certificate.read_bytes()).public_bytes(serialization.Encoding.DER)
    private = serialization.load_pem_private_key(key.read_bytes(), None)
    for form in (serialization.PrivateFormat.PKCS8, serialization.PrivateFormat.TraditionalOpenSSL):
        secret = private.private_bytes(serialization.Encoding.DER, form, serialization.NoEncryption())
        program = (
            begin()
            + f"""
c = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
c.load_verify_locations(CA)
c.load_cert_chain({der!r}, {secret!r})
s = socket.socket()
s.connect(socket.getaddrinfo('mutual.test', 443)[0][-1])
t = c.wrap_socket(s, server_hostname='mutual.test')
t.write(b'hi')
print(t.read(2))
"""
        )
        assert prints(program, hosts=hosts) == ["b'hi'"]
