"""Signed URLs of files, as object storage has them: they expire, and no part can be altered (application.md 5.5)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Mapping
from urllib.parse import quote

ACCESS_KEY = "STS.NUemulatedCloudKeyId"
BUCKET = "iotx-ota"
SIGNATURE_AND_NAME = "0" * 32 + "&security-token="  # of a URL, as long as they are
HOST = re.compile(r"iotx-ota\.oss-([a-z0-9\-]+)\.aliyuncs\.com")
PATH = re.compile(r"/ota/([0-9a-f]+)/([0-9]{1,3})/[A-Za-z0-9._-]+")
DENIED, ALTERED = "AccessDenied", "SignatureDoesNotMatch"  # codes of a refusal
EXPIRED = "Request has expired."


def host(region: str) -> str:
    return f"{BUCKET}.oss-{region}.aliyuncs.com"


class Refused(Exception):
    """HTTP 403 with the `code` of object storage."""

    def __init__(self, code: str, text: str):
        super().__init__(text)
        self.code = code


def sign(secret: bytes, method: str, path: str, expires: str, token: str) -> str:
    """The Signature of a URL's parts."""
    text = f"{method}\n\n\n{expires}\n/{BUCKET}{path}?security-token={token}"
    return base64.b64encode(hmac.digest(secret, text.encode(), hashlib.sha1)).decode()


def token_of(key: tuple[str, str], length: int) -> str:
    """A security-token of its own, in which the device stands, filled up to `length` characters."""
    head = base64.urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")
    missing = max(length - len(head) - 1, 8)
    return f"{head}.{secrets.token_urlsafe(missing)[:missing]}"


def device_of(token: str) -> tuple[str, str]:
    """The (ProductKey, DeviceName) in a token that was signed here."""
    head = token.split(".", 1)[0]
    first, second = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    return first, second


def make(secret: bytes, region: str, path: str, key: tuple[str, str], expires: int, length: int) -> str:
    """The URL of the file at `path` for the device `key`, good until `expires` (Unix s), about `length` characters."""
    begin = f"https://{host(region)}{path}?Expires={expires}&OSSAccessKeyId={ACCESS_KEY}&Signature="
    token = token_of(key, length - len(begin) - len(SIGNATURE_AND_NAME))
    signature = quote(sign(secret, "GET", path, str(expires), token), safe="")
    return f"{begin}{signature}&security-token={token}"


def check(secret: bytes, method: str, path: str, query: Mapping[str, str], now: float) -> tuple[str, str]:
    """The device that a URL was signed for; raises `Refused`."""
    expires, token = query.get("Expires", ""), query.get("security-token", "")
    known = {"Expires", "OSSAccessKeyId", "Signature", "security-token"}
    whole = set(query) == known and query["OSSAccessKeyId"] == ACCESS_KEY and expires.isdecimal()
    expected = sign(secret, method, path, expires, token).encode()
    if not whole or not hmac.compare_digest(expected, query["Signature"].encode()):
        text = "The request signature we calculated does not match the signature you provided."
        raise Refused(ALTERED, text)
    if int(expires) < now:
        raise Refused(DENIED, EXPIRED)
    return device_of(token)
