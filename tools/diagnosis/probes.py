"""Probes of the route to the platform, one thing each: a name, a connection, a certificate, a clock, an answer."""

import contextlib
import datetime
import http.client
import json
import socket
import ssl
import struct
import time
import urllib.parse
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from cryptography import x509

from tools import errors, host_names
from tools.firmware import FOLDER
from tools.image import flash_image

ROOTS = FOLDER / "aliot" / "roots"
NTP_EPOCH = 2_208_988_800  # seconds from 1900 to 1970


class Refusal(Exception):
    """What was found wrong, and one sentence of advice."""

    def __init__(self, found: str, advice: str) -> None:
        super().__init__(found)
        self.advice = advice


class Broken(Refusal):
    """A TLS connection that ended; `alert` is the server's in words, "" when it sent none."""

    def __init__(self, found: str, advice: str, alert: str = "") -> None:
        super().__init__(found, advice)
        self.alert = alert


class Network:
    """Where names lead: the real network, or with `cloud` the emulated one that runs in that directory."""

    def __init__(self, cloud: Path | str | None = None, timeout: float = 5.0) -> None:
        self.timeout = timeout
        self._routes = host_names.table(cloud) if cloud else None

    def resolve(self, host: str, port: int) -> tuple[str, int]:
        """(address, port) of a host's service. Refusal when the name leads nowhere."""
        if self._routes is not None:
            found = self._routes(host, port)
            if found is None:
                raise Refusal(
                    f"{host}:{port} is no service of the emulated cloud", "check region, instance and port"
                )
            return found
        try:
            address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][4]
            return str(address[0]), int(address[1])
        except OSError as error:
            raise Refusal(
                f"{host} is not found ({error.strerror})",
                "check this network's name server, and region and instance",
            ) from None

    def dial(self, host: str, port: int) -> socket.socket:
        """An open TCP connection."""
        address = self.resolve(host, port)
        try:
            return socket.create_connection(address, self.timeout)
        except OSError as error:
            raise Refusal(
                f"no connection to {host}:{port} ({error.strerror or 'timeout'})",
                "let this network out to that port, or try 443 or 1883 where the instance has it",
            ) from None

    def seconds(self, server: str) -> int:
        """Seconds since 1970 by an SNTP server."""
        try:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                sock.settimeout(self.timeout)
                sock.sendto(b"\x1b" + bytes(47), self.resolve(server, 123))
                return struct.unpack("!I", sock.recv(48)[40:44])[0] - NTP_EPOCH
        except (OSError, struct.error):
            raise Refusal(
                f"{server} does not answer",
                "let UDP port 123 out; without it boards count from their build date",
            ) from None


def roots(names: Iterable[str], extra: Iterable[Path | str]) -> dict[str, str]:
    """{name: certificate in PEM} of the firmware's roots of those names, and of extra root files."""
    found = {name: (ROOTS / f"{name}.der").read_bytes() for name in names}
    for path in extra:
        for number, der in enumerate(flash_image.certificates(path), 1):
            if der not in found.values():
                name = Path(path).name if Path(path).name not in found else str(path)
                found[name if number == 1 else f"{name} ({number})"] = der
    return {name: ssl.DER_cert_to_PEM_cert(der) for name, der in found.items()}


def secure(
    network: Network,
    host: str,
    port: int,
    trusted: Mapping[str, str],
    present: Callable[[ssl.SSLContext], object] | None = None,
) -> tuple[ssl.SSLSocket, str, int]:
    """(TLS socket, root's name, days until the server's certificate ends): TLS 1.2 as on the chip, all verified.

    `present` gives the context a client certificate.
    """
    problem = None
    for name, pem in trusted.items():
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        try:
            context.load_verify_locations(cadata=pem)
        except ssl.SSLError:
            raise errors.UserError(f"{name} is not a certificate") from None
        if present:
            present(context)
        sock = network.dial(host, port)
        try:
            secured = context.wrap_socket(sock, server_hostname=host)
        except ssl.SSLCertVerificationError as error:
            problem = error
            sock.close()
            continue
        except OSError as error:
            sock.close()
            raise Broken(
                f"no TLS with {host}:{port} ({error.strerror or error})",
                "something on the way breaks TLS open or the port speaks another protocol",
                alert(error),
            ) from None
        certificate = x509.load_der_x509_certificate(secured.getpeercert(True) or b"")
        left = certificate.not_valid_after_utc - datetime.datetime.now(datetime.UTC)
        return secured, name, left.days
    raise Refusal(*_certificate(problem, host))


def _certificate(error, host):
    if error is None:
        return f"no root to check {host} with", "name one with --root"
    advice = {
        10: "the server's certificate has expired: check the endpoint, and this machine's clock",
        9: "the server's certificate is not yet valid: this machine's clock is the likely cause",
        62: "the server is not the one asked for: check host, region and instance",
        64: "the server is not the one asked for: check host, region and instance",
    }
    return (
        f"the certificate of {host} is refused: {error.verify_message}",
        advice.get(
            error.verify_code,
            "its root is not among the board's: check the endpoint, or add the root with --root",
        ),
    )


def alert(error: OSError) -> str:
    """The TLS alert that an OSError stands for, as words such as "unknown ca"; "" when it stands for none."""
    return (getattr(error, "reason", None) or "").partition("ALERT_")[2].replace("_", " ").lower()


def connack(stream: socket.socket, fields: Iterable[str], timeout: float) -> int:
    """The return code that a CONNECT with these (client id, user, password) gets; direct.md 1.7."""
    body = (
        b"\x00\x04MQTT\x04\xc2"
        + struct.pack("!H", 60)
        + b"".join(struct.pack("!H", len(text)) + text for text in (field.encode() for field in fields))
    )
    stream.settimeout(timeout)
    try:
        stream.sendall(b"\x10" + _length(len(body)) + body)
        return _exactly(stream, 4)[3]
    except EOFError:
        raise Broken(
            "the platform ended the connection without a CONNACK", "check port, instance and region"
        ) from None
    except TimeoutError:
        raise Refusal("no CONNACK (timeout)", "try again; the platform may be busy") from None
    except OSError as error:
        raise Broken(
            f"no CONNACK ({error.strerror or error})", "try again; the platform may be busy", alert(error)
        ) from None


def disconnect(stream: socket.socket) -> None:
    with contextlib.suppress(OSError):
        stream.sendall(b"\xe0\x00")


def published(stream: socket.socket, topic: str, timeout: float) -> bytes | None:
    """The payload that the server publishes next on `topic`, or None when none comes within `timeout` seconds."""
    ends = time.monotonic() + timeout
    try:
        while (left := ends - time.monotonic()) > 0:
            stream.settimeout(left)
            kind, body = _packet(stream)
            size = 2 + int.from_bytes(body[:2], "big")
            if kind & 0xF0 == 0x30 and body[2:size] == topic.encode():
                return body[size + (2 if kind & 6 else 0) :]  # a packet id where QoS is not 0
    except (EOFError, OSError):
        pass
    return None


def _packet(stream):
    """(first byte, body) of the next MQTT packet."""
    kind, size, shift = _exactly(stream, 1)[0], 0, 0
    while shift < 28:
        digit = _exactly(stream, 1)[0]
        size |= (digit & 127) << shift
        shift += 7
        if digit < 128:
            break
    return kind, _exactly(stream, size)


def _exactly(stream, size):
    data = b""
    while len(data) < size:
        piece = stream.recv(min(size - len(data), 4096))
        if not piece:
            raise EOFError
        data += piece
    return data


def _length(size):
    out = b""
    while True:
        size, low = divmod(size, 128)
        out += bytes([low | (128 if size else 0)])
        if not size:
            return out


def post(stream: socket.socket, host: str, path: str, form: str, timeout: float) -> tuple[int, bytes]:
    """(HTTP status, body) that a POST of a form is answered with."""
    stream.settimeout(timeout)
    stream.sendall(
        (
            f"POST {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n"
            "Content-Type: application/x-www-form-urlencoded\r\n"
            f"Content-Length: {len(form)}\r\n\r\n{form}"
        ).encode()
    )
    answer = http.client.HTTPResponse(stream)
    try:
        answer.begin()
        return answer.status, answer.read(4096)
    except (OSError, http.client.HTTPException):
        raise _no_answer(host) from None


def registration_code(
    stream: socket.socket, host: str, fields: Mapping[str, str], timeout: float
) -> tuple[int, str]:
    """(code, message) that POST /auth/register/device answers with; direct.md 2.3 and 2.4."""
    try:
        found = json.loads(
            post(stream, host, "/auth/register/device", urllib.parse.urlencode(fields), timeout)[1]
        )
        return int(found["code"]), str(found.get("message", ""))
    except (ValueError, KeyError, TypeError):
        raise _no_answer(host) from None


def _no_answer(host):
    return Refusal(f"{host} gives no answer that could be used", "check the endpoint, and what is between")


def drift(network: Network, servers: Iterable[str]) -> tuple[str, int]:
    """(server, seconds that this machine's clock is ahead) by the first server that answers."""
    problem: Refusal | None = None
    for server in servers:
        try:
            return server, round(time.time() - network.seconds(server))
        except Refusal as error:
            problem = error
    assert problem
    raise problem
