"""Boards with ID² from power-on to connected, and what they say when they are refused; on both interpreters."""

import secrets

import pytest

from host_tests.support.fleet import online
from host_tests.support.id2 import BURNED, EMPTY, LISTED, Id2Fleet, ends, id2_config
from host_tests.system.boots.test_bad_flash import full

FLEET, CLOUD = Id2Fleet, id2_config(id2_authentications=161)

SPEND = """
if device.connected:
    for _ in range(9):
        device.credential.quota.spend()
    device.state("spent", {})
"""
HOST = BURNED + ".itls.cn-shanghai.aliyuncs.com"


def code_and_retry(line):
    return line["code"], line["retry"]


@pytest.mark.parametrize("key_type", ["AES_128", "AES_256"])
def test_a_burned_identity_connects_and_its_name_registers_itself(fleet, cloud, key_type):
    given = fleet.identity(key_type=key_type)
    board = fleet.board(given)
    first = online(board)
    assert first.state("boot")["way"] == "id2" and "issued" not in first.state("boot")
    assert (first.state("connected")["host"], first.state("connected")["port"]) == (HOST, 1883)
    assert cloud.device(BURNED, board.device_name)["id2"] == given["id2"]
    again = online(board)
    assert not again.state("registering")
    assert cloud.admin("GET", f"/identities/{given['id2']}")["authentications_today"] == 2


def test_a_board_without_identity_asks_for_one_once(fleet, cloud):
    board = fleet.board()
    online(board)
    mac = board.mac.replace(":", "").upper()
    mine = [one for one in cloud.admin("GET", "/identities") if one["fingerprint"] == mac]
    assert [one["device_name"] for one in mine[-1:]] == [board.device_name]
    before = len(cloud.admin("GET", "/identities"))
    again = online(board)
    assert len(cloud.admin("GET", "/identities")) == before
    assert cloud.admin("GET", f"/identities/{mine[-1]['id2']}")["authentications_today"] == 2
    assert again.operations > 0  # the count of authentications


@pytest.mark.parametrize("burned", [True, False])
def test_an_nvs_without_room_is_named_and_no_reason_to_stop(fleet, cloud, burned):
    board = fleet.board(fleet.identity() if burned else None)
    full(board)
    boot = online(board)
    assert (boot.state("boot")["nvs"], boot.state("boot")["littlefs"]) == ("full", "ok"), boot.lines
    before = len(cloud.admin("GET", "/identities"))
    online(board)
    assert len(cloud.admin("GET", "/identities")) == before


def test_it_comes_back_after_an_outage_and_counts(fleet, cloud):
    given = fleet.identity()
    board = fleet.board(given)
    board.start()
    try:
        board.wait_for("connected")
        for how in ("close", "reset"):
            cloud.act(BURNED, board.device_name, "kick", {"how": how})
            assert board.wait_for("offline")["code"] in ("closed", "reset")
            board.wait_for("connected")
    finally:
        board.power_off()
    assert cloud.admin("GET", f"/identities/{given['id2']}")["authentications_today"] == 3


def test_the_tenth_authentication_is_made_and_the_eleventh_is_not(fleet, cloud):
    given = fleet.identity()
    board = fleet.board(given, each=SPEND)
    ends(board, "spent")
    line = ends(board, "error")
    assert code_and_retry(line) == ("id2.quota", "later") and "10 in 24 hours" in line["detail"]
    assert line["advice"] == "nothing to do: the board connects again" and line["wait"] >= 300
    assert cloud.admin("GET", f"/identities/{given['id2']}")["authentications_today"] == 1


def test_the_platform_may_count_too(fleet, cloud):
    given = fleet.identity()
    cloud.admin("POST", f"/identities/{given['id2']}/authentications", {"today": 10})
    line = ends(fleet.board(given), "refused")
    assert (
        code_and_retry(line) == ("itls.161", "never")
        and "buy more" in line["advice"]
        and line["wait"] >= 3600
    )


def test_a_white_list_lets_its_names_in_and_no_other(fleet, cloud):
    name = "listed-" + secrets.token_hex(4)
    cloud.admin("POST", f"/products/{LISTED}/devices", {"device_names": [name]})
    online(fleet.board(fleet.identity(LISTED), LISTED, name))
    line = ends(fleet.board(fleet.identity(LISTED), LISTED), "refused")
    assert code_and_retry(line) == ("mqtt.4", "later") and "that the device exists" in line["advice"]


@pytest.mark.parametrize(
    "change, code, message",
    [
        ({"id2_key": "00112233445566778899aabbccddeeff"}, "itls.163", "key"),
        ({"id2": "0123456789ABCDEF01234567"}, "itls.162", "ID is unknown"),
        ("inactive", "itls.164", "console"),
        ("suspended", "itls.168", "console"),
        ("discarded", "itls.169", "console"),
        ({"product_key": LISTED}, "itls.170", "another product"),
        ({"product_key": "a1Id2Nobody"}, "itls.172", "no such product"),
    ],
)
def test_an_identity_that_is_refused_says_which_way_out(fleet, cloud, change, code, message):
    given = fleet.identity()
    if isinstance(change, str):
        cloud.admin("POST", f"/identities/{given['id2']}/state", {"state": change})
        change = {}
    line = ends(fleet.board({**given, **change}), "refused")
    assert code_and_retry(line) == (code, "never") and message in line["advice"] and line["wait"] >= 3600
    assert line["detail"] == f"refused by the server ({code[5:]})"


def test_an_identity_that_is_revoked_goes_offline_and_is_refused(fleet, cloud):
    given = fleet.identity()
    board = fleet.board(given)
    board.start()
    try:
        board.wait_for("connected")
        cloud.admin("POST", f"/identities/{given['id2']}/state", {"state": "suspended"})
        board.wait_for("offline")
        assert board.wait_for("refused")["code"] == "itls.168"
    finally:
        board.power_off()


def test_a_board_that_lost_its_identity_is_told_and_never_asks_in_a_loop(fleet, cloud):
    """The platform has given this board an identity; the board has lost its flash (id2.md 1.4)."""
    board = fleet.board()
    fresh = board.flash.read_bytes()
    online(board)
    board.flash.write_bytes(fresh)
    line = ends(board, "refused")
    assert (
        code_and_retry(line) == ("itls.175", "never")
        and "restore its identity" in line["advice"]
        and line["wait"] >= 3600
    )


def test_without_licences_nothing_is_provisioned(fleet, cloud):
    cloud.admin("POST", f"/products/{EMPTY}/quota", {"left": 0})
    try:
        assert code_and_retry(ends(fleet.board(), "refused")) == ("itls.161", "never")
    finally:
        cloud.admin("POST", f"/products/{EMPTY}/quota", {"left": None})
