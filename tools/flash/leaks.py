"""Secrets in a tree that is about to be flashed: an identity belongs into the store, never into files."""

import re

from tools.errors import UserError
from tools.firmware import record

_NAMED = re.compile(
    rb"""(?ix) ["']? (device|product) [_ -]? secret ["']? \s* [:=] \s* ["'] ( [!-~]{12,64}? ) ["']"""
)
_SECRETS = (record.DEVICE_SECRET, record.PRODUCT_SECRET, record.DEVICE_TOKEN)
_PLACEHOLDER = re.compile(rb"(?i)^[x*.<>_-]+$|your|example|secret|change|\.\.\.|placeholder")


def refuse(tree, copies=()):
    """UserError when a file of `tree` {path: bytes} looks as if it held a device or product secret.

    `copies` are records found on the board: their secrets are looked for as they are.
    """
    known = {copy.fields[tag] for copy in copies for tag in _SECRETS if len(copy.fields.get(tag, b"")) >= 8}
    for path, data in sorted(tree.items()):
        found = _NAMED.search(data)
        named = found and not _PLACEHOLDER.search(found.group(2))
        if named or any(secret in data for secret in known):
            raise UserError(
                f"{path} looks as if it held a device or product secret: every board flashed with it would "
                "be the same device; take it out and burn it ('make burn')"
            )
