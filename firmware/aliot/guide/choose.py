"""Which way a board asks where to connect: the settings `auth` and `bootstrap`. Pure; dropped after use."""

from aliot.credentials import text
from aliot.endpoint import Endpoint
from aliot.errors import CredentialError
from aliot.guide import Guided
from micropython import const

_WAY = const(1)  # tags of aliot.record
_METHOD = const(7)
_AUTH = const(28)  # b"https"; absent: mqtt
_BOOTSTRAP = const(29)  # b"region" or b"global"; absent: none


def guided(product_key, values, fields, override):
    """The endpoint that a burned record's `fields`, with `override` before them, choose.

    `values` are what Endpoint takes after the ProductKey.

    CredentialError for a choice that there is not, or that the identity cannot follow.
    """
    auth = _chosen("auth", ("mqtt", "https"), text(fields, _AUTH), override)
    bootstrap = _chosen("bootstrap", ("none", "region", "global"), text(fields, _BOOTSTRAP), override)
    if auth == "mqtt" and bootstrap == "none":
        return Endpoint(product_key, *values)
    if text(fields, _WAY) not in ("device", "product"):
        raise CredentialError("auth and bootstrap are for identities with a secret", "endpoint")
    if auth == "https" and text(fields, _METHOD) == "regnwl":
        raise CredentialError("preregistration-free tokens cannot sign an HTTPS authentication", "endpoint")
    return Guided(product_key, values, auth, bootstrap)


def _chosen(name, choices, burned, override):
    choice = override.get(name, burned or choices[0])
    if choice not in choices:
        raise CredentialError("%s is one of %s" % (name, ", ".join(choices)), "endpoint")
    return choice
