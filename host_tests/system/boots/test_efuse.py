"""Boards whose secret is in an eFuse key block: they register and connect, and neither flash nor console has it."""

import pytest

from host_tests.support import key_blocks
from host_tests.support.fleet import PRODUCT_SECRETS, Direct, names, online

FLEET = Direct
CHIPS = {"device": "esp32c3", "https": "esp32s3", "mqtt": "esp32c3", "regnwl": "esp32s3"}
BLOCK = 3


MAIN = """
import aliot
from aliot.device import Device
from aliot.wifi import Wifi

def main():
    device = Device({"timeout": 15000}, Wifi("boots", "password"))
    device.start()
    while True:
        device.poll(10)

aliot.run(main)
"""


def sealed(fleet, kind, chip=None, block=BLOCK):
    """(a board that was never on, with a record that names the block, the secret that is in KEY3)."""
    plain = fleet.board(kind)  # its device is in the cloud where it has to be
    key, name = plain.product_key, plain.device_name
    if kind == "device":
        own, secret = {"device_name": name}, fleet.cloud.device(key, name, secret=True)["device_secret"]
    else:
        own, secret = {"method": kind}, PRODUCT_SECRETS[key]
    burned = fleet.loaded({**fleet.endpoint, "product_key": key, "key_block": block, **own})
    fuses = key_blocks.fuses({BLOCK: secret.encode(), 4: (4, b"x" * 32)})
    image = fleet.image(burned, MAIN)
    board = fleet.add(image, key, name, plain.mac, chip=chip or CHIPS[kind], efuses=fuses.image)
    return board, secret


@pytest.mark.parametrize("kind", CHIPS)
def test_a_board_registers_and_connects_with_a_key_that_nobody_can_read(fleet, kind):
    board, secret = sealed(fleet, kind)
    boot = online(board)
    assert ("registering" in names(boot)) == (kind != "device"), boot.lines
    assert fleet.registrations(board) == (kind != "device")
    again = online(board)
    assert "registering" not in names(again)
    assert secret.encode() not in board.flash.read_bytes()


def test_a_board_authenticates_over_https_with_it(fleet):
    fleet.endpoint = {**fleet.endpoint, "auth": "https"}
    board, secret = sealed(fleet, "device")
    boot = online(board)
    assert "asking" in names(boot) and secret.encode() not in board.flash.read_bytes()


@pytest.mark.parametrize(
    ("chip", "block", "code"),
    [("esp32", 3, "key.block"), ("esp32c3", 4, "key.purpose")],
)
def test_a_board_without_the_key_says_why_and_what_to_do(fleet, chip, block, code):
    board, _ = sealed(fleet, "device", chip, block)
    boot = board.boot(until=lambda state: state.get("code") == code, timeout=60)
    state = boot.state("error")
    assert boot.reason == "stopped" and state["code"] == code, boot.lines
    assert state["advice"]
