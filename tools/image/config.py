"""config.json: the settings of a board, Wi-Fi and endpoint; never an identity.

What a setting may be, the board's own table says (aliot.settings), so that both take and refuse the same.
"""

import json
from pathlib import Path

from tools.errors import UserError
from tools.firmware import rules, settings as board
from tools.image.identity import endpoint as identities

PATH = board.FILE
_IDENTITY = ("device_secret", "product_secret", "id2_key", "private_key", "sub_products", "deviceSecret", "productSecret")


def read(path):
    """The dict of a config.json file; UserError when it is not one that a board takes."""
    try:
        data = Path(path).read_bytes()
        if len(data) > board.LARGEST:
            raise UserError(f"{path} has more than {board.LARGEST} bytes, which a board reads of it")
        found = json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        raise UserError(f"{path} is not JSON") from None
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    if not isinstance(found, dict):
        raise UserError(f"{path} is not a JSON object")
    try:
        check(found)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    return found


def check(settings):
    """UserError names the first setting that breaks its rule, or that belongs to an identity."""
    for name in settings:
        if name in _IDENTITY:
            raise UserError(f"'{name}' does not belong into settings: an identity is burned ('make burn')")
    for name in board.wrong(settings):
        own = name.removeprefix("endpoint.")
        row = board.RULES.get(name) or (board.ENDPOINT.get(own) if own != name else None)
        if row is None:
            raise UserError(f"{name} is not a setting; there are {', '.join(board.ENDPOINT)}")
        raise UserError(f"{name} has to be {rules.rule(*row)}")
    _check_instance(settings.get("endpoint"))


def _check_instance(endpoint):
    """UserError when endpoint.instance is none by the rule of an identity, such as "public"."""
    instance = endpoint.get("instance") if isinstance(endpoint, dict) else None
    problem = identities.wrong("instance", instance, "endpoint.instance") if isinstance(instance, str) and instance else None
    if problem:
        raise UserError(problem)
