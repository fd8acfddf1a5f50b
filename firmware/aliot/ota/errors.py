"""What keeps a package from becoming a release; the old one runs on."""

from aliot.errors import AliotError


class UpdateError(AliotError):
    """Codes: `update.` and what it is; advice.txt has a sentence for each.

    form, cut, signature, key, keyless, product, board, mpy, least, store, older, tried, trial, changed, room, flash
    """

    code = "update"
    retry = "never"
