"""Signatures of the chip's HMAC peripheral against Python's hmac, whose key is read out of the eFuse file."""

import hashlib
import hmac
import random

import pytest

from host_tests.support import key_blocks
from host_tests.support.device_tests import INTERPRETERS, conversation
from host_tests.support.paths import ROOT

CASE = ROOT / "host_tests/firmware/device/test_efuse.py"
CHIPS = ("esp32c3", "esp32s3")
AT_ONCE = 250
TEXTS = "".join(map(chr, range(0x20, 0x7F)))


def burned(draw):
    """The bytes of an eFuse file with six keys for HMAC_UP, some of them a ProductSecret padded with zeros."""
    return key_blocks.fuses(
        {block: bytes(draw.choices(TEXTS.encode(), k=16 if block % 2 else 32)) for block in range(6)}
    ).image()


def rows(image, draw, count):
    """[block, text, signature], texts of all lengths up to 400."""
    found = []
    for _ in range(count):
        block, text = draw.randrange(6), "".join(draw.choices(TEXTS, k=draw.randrange(400)))
        key = key_blocks.key_of(image, block)
        found.append([block, text, hmac.new(key, text.encode(), hashlib.sha256).hexdigest()])
    return found


@pytest.mark.parametrize("which", INTERPRETERS)
def test_signatures_are_those_of_python(which, campaign, tally):
    count, draw = campaign(10_000), random.Random(17)
    with conversation(CASE, which, heap="1M") as ask:
        for batch in range(-(-count // AT_ONCE)):
            chip = CHIPS[batch % 2]
            image = burned(draw)
            asked = {"chip": chip, "fuses": image.hex(), "rows": rows(image, draw, AT_ONCE)}
            assert ask("sign", asked) is None
            tally("signatures of the HMAC peripheral", AT_ONCE)
