"""HMAC signatures as the platform checks them (direct.md 1.2, 2.2)."""

import hashlib
import hmac

METHODS = {"hmacmd5": hashlib.md5, "hmacsha1": hashlib.sha1, "hmacsha256": hashlib.sha256}


def method(name):
    """The known method that `name` means without regard to case, or None."""
    lower = name.lower()
    return lower if lower in METHODS else None


def content(fields):
    """Names and values of `fields`, sorted by name, joined without separators."""
    return "".join(name + fields[name] for name in sorted(fields))


def sign(method_name, secret, fields):
    """The signature of `fields` under `secret`, lower-case hex."""
    return hmac.new(secret.encode(), content(fields).encode(), METHODS[method_name]).hexdigest()


def matches(given, method_name, secret, fields):
    """Whether `given` is the signature; the case of its hex digits is free (direct.md 1.2)."""
    expected = sign(method_name, secret, fields)
    return hmac.compare_digest(expected.encode(), given.lower().encode(errors="replace"))


def same(given, secret):
    """Whether two secrets are equal; the time taken does not show where they differ."""
    return hmac.compare_digest(given.encode(errors="replace"), secret.encode())
