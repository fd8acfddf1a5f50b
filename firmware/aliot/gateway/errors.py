"""The one error that has to do with sub-devices, and its advice."""

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
