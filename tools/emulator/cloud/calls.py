"""Requests over HTTPS: what makes one up, its form, the codes and their texts (direct.md 2.4, 6)."""

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import parse_qsl

# code -> text; 6288, 6292, 6600 and 6100 in a registration, 5001 and 6200 are inferred (direct.md 2.4, 11)
MESSAGES = {
    200: "success",
    400: "request error",
    401: "request auth error",
    429: "too many requests",
    460: "request parameter error",
    500: "internal error",
    5001: "device metadata not found",
    5005: "product not found",
    6100: "device not found",
    6200: "auth type mismatch",
    6204: "device is disabled",
    6250: "product not found",
    6288: "dynamic registration is not allowed",
    6289: "device is already active",
    6292: "sign method is not supported",
    6600: "sign check failed",
}


@dataclass(frozen=True)
class Call:
    """One request that the platform takes; `stage` is its name for faults.

    `read(request, centre, instance)` gives what was asked, an object with
    `names`, `product` and `device`; `verdict(asked, instance)` the code, changing
    nothing; `carry_out(asked, instance, link)` the data of a good answer.
    `events` are the log's words for a good and a refused one, `way` what they say of the registration.
    """

    stage: str
    method: str
    read: Callable
    verdict: Callable
    carry_out: Callable
    events: tuple
    way: str | None = None


def parse_form(body):
    """(fields, whether it is a form in which each name is once); no fields if it is no form."""
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, strict_parsing=True, max_num_fields=20)
    except ValueError:
        return {}, False
    fields = dict(pairs)
    return fields, len(pairs) == len(fields)


def message(code):
    return MESSAGES.get(code, "request error")
