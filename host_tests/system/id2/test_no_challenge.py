"""A server that answers the first hello with a ServerHello: nobody has asked who the board is, so it does not go on.

After a hello a client waits for a HelloVerifyRequest, and anything else ends with a fatal alert (id2.md 4 and 10.2).
"""

from host_tests.support.id2 import BURNED, EMPTY, PATIENCE, Id2Fleet, ends, id2_config

FLEET, CLOUD = Id2Fleet, id2_config(itls_hello_verify="left_out")

UNEXPECTED = 10
COUNT = """
def spent(state, told):
    if state == "offline":
        device.state("spent", {"count": len(device.credential.quota.times)})
device.watch(spent)
"""


def alerts(cloud):
    """The alerts that boards have sent."""
    return [event["code"] for event in cloud.admin("GET", "/log?event=alert%20received")]


def test_a_burned_identity_is_not_proved_to_who_did_not_ask(fleet, cloud):
    board = fleet.board(fleet.identity(), first=COUNT)
    before = len(alerts(cloud))
    boot = board.boot(until="spent", timeout=PATIENCE)
    line = boot.state("offline")
    assert (line["code"], line["detail"], line["retry"]) == ("itls", "message (10)", "later"), boot.lines
    assert line["wait"] >= 300 and line["advice"] and not boot.state("connected")
    assert boot.state("spent")["count"] == 0  # no device code has left the board
    assert alerts(cloud)[before:] == [UNEXPECTED]
    assert not any(one["device_name"] == board.device_name for one in cloud.admin("GET", "/devices"))


def test_an_identity_that_was_given_before_is_kept(fleet, cloud):
    """Provisioning has its HelloVerifyRequest in any case; the hello after it has none."""
    board = fleet.board()
    before = len(cloud.admin("GET", "/identities"))
    for _ in range(2):
        assert ends(board, "offline")["detail"] == "message (10)"
        given = cloud.admin("GET", "/identities")
        assert len(given) == before + 1 and given[-1]["fingerprint"] == board.mac.replace(":", "").upper()
        assert given[-1]["product_key"] == EMPTY != BURNED
