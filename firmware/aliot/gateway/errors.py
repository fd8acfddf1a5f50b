"""The one error that has to do with sub-devices, its advice, and how modules of a moment are dropped."""

import sys

from aliot import unload
from aliot.errors import AliotError


class GatewayError(AliotError):
    """What has to do with sub-devices; `code` is gateway. and a word, or the platform's number."""

    def __init__(self, what, detail="", retry="now"):
        super().__init__(detail, "gateway.%s" % what, retry)


def advice(what):
    """One sentence for a code of the platform, or for a word of a GatewayError; empty when there is none."""
    problem = GatewayError(what)
    try:
        return problem.advice
    finally:
        unload("advice")


def drop(*names):
    """Unload the modules aliot.gateway.`name`; none of them may be running.

    They are emptied too: a chip's collector takes what an old place on the stack still points to for alive, and a
    function would keep all of its module.
    """
    for name in names:
        name = "gateway." + name
        module = sys.modules.get("aliot." + name)
        if module:
            module.__dict__.clear()
            unload(name)
