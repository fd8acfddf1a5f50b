"""A GET over HTTPS: the address taken apart, a stream to it, the head of the answer; application.md 5.5, 10 and 13."""

from aliot import http, roots
from aliot.credentials import Credential
from aliot.endpoint import PUBLIC
from aliot.errors import AliotError, LinkError
from aliot.transport import tls
from micropython import const

_LONGEST = const(2048)  # characters of a URL


def get(device, url, more=""):
    """A stream (aliot.transport) on which GET `url` was sent, with the lines `more`, each ended, in its head.

    AliotError `download.url`; LinkError. Bounded by the device's timeout, name server apart. Where memory does not
    suffice for two TLS connections the device's is ended first.
    """
    host, port, rest = _parts(url)
    name = host if port == 443 else host + ":" + str(port)
    request = "GET %s HTTP/1.1\r\nHost: %s\r\n%sConnection: close\r\n\r\n" % (rest, name, more)
    rest = None  # a long one is held once while TLS connects
    request = request.encode()
    stream = _open(device, host, port)
    try:
        stream.write(request)
    except BaseException:
        stream.close()
        raise
    return stream


def answer(stream, *statuses):
    """(status, how long the body is) out of the answer's head, before the stream's deadline.

    AliotError `download.status` for another status than these, `download.http`; LinkError.
    """
    try:
        status, length, chunked = http.head(stream)
    except (ValueError, IndexError):
        raise AliotError("this is not HTTP", "download.http", "later")
    if status not in statuses:
        raise AliotError("HTTP status %d" % status, "download.status", "later")
    if chunked or length is None:
        raise AliotError("without a length", "download.http", "later")
    return status, length


def _parts(url):
    """(host, port, path and query) of an https URL."""
    if isinstance(url, str) and url[:8].lower() == "https://" and len(url) <= _LONGEST:
        end = min([at for at in (url.find("/", 8), url.find("?", 8), len(url)) if at > 0])
        host, _, port = url[8:end].partition(":")
        rest = url[end:].partition("#")[0]
        rest = rest if rest[:1] == "/" else "/" + rest
        right = [one for one in host if one.isdigit() or one.isalpha() or one in ".-"]
        if host and len(right) == len(host) and not [one for one in url if not " " < one < "\x7f"]:
            number = int(port) if port.isdigit() else 0 if port else 443
            if 0 < number < 65536:
                return host, number, rest
    raise AliotError("no address of https", "download.url")


def _open(device, host, port):
    """A stream without a client certificate: it is for the platform alone.

    With the TLS context of the device's connection, which is kilobytes of Python's heap, where that has no certificate:
    the server proves itself to the roots of either. What has no such context gets one of its own.
    """
    nobody = Credential("", "")
    beside = getattr(device.client, "stream", None)
    context = getattr(beside, "context", True)
    if context is not True and not hasattr(beside, "extra"):
        roots.trust(PUBLIC, context.load_verify_locations)
        beside.extra = True  # once
    try:
        return tls.connect(nobody, host, port, PUBLIC, device.timeout, context)
    except LinkError as problem:
        if problem.code[-6:] != "memory" or not device.connected:
            raise
    device.stop()
    return tls.connect(nobody, host, port, PUBLIC, device.timeout)
