"""The admin API's routes: how a function becomes one, and what it may expect of a request."""

import re
from collections.abc import Callable
from typing import Any

from tools.emulator.cloud.web import BadRequest
from tools.secrets import mask

LOOPBACK = ("127.0.0.1", "localhost", "[::1]", "")
ROUTES: list[tuple[str, str, re.Pattern[str], Callable[..., Any]]] = []


def route(method, pattern):
    """Registers a function for `pattern`, in which {name} stands for one level of the path."""
    expression = re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", pattern))

    def keep(function):
        ROUTES.append((method, pattern, expression, function))
        return function

    return keep


def masked(secret, shown):
    return secret if shown else mask(secret)


def body(request, **kinds):
    """The request's JSON object; each of `kinds` is there and of that type."""
    values = request.json()
    if not isinstance(values, dict):
        raise BadRequest(400, "the body must be a JSON object")
    for name, kind in kinds.items():
        if type(values.get(name)) is not kind:
            raise BadRequest(400, f"{name} must be a JSON {kind.__name__}")
    return values


def qos_of(values):
    qos = values.get("qos", 0)
    if type(qos) is not int or qos not in (0, 1):
        raise BadRequest(400, "qos must be 0 or 1")
    return qos
