"""What comes to a device: by `_ss=1`, and at which rate (application.md 1, 4)."""

import pytest

from host_tests.support.cloud.thing import DN, PK

T = f"/sys/{PK}/{DN}/"


def down(world, topic, payload=b"x", qos=0):
    return world.instance.send_down(PK, DN, topic, payload, qos)["sent"]


# a topic down -> whether `_ss=1` brings it, and whether it does without the replies that C clients subscribe to
IMPLIED = [
    (T + "thing/service/property/set", 1, 1),
    (T + "thing/event/property/post_reply", 1, 1),
    (T + "thing/event/property/history/post_reply", 1, 1),
    (T + "thing/file/download_reply", 1, 0),
    (T + "thing/file/upload/mqtt/send_reply", 1, 0),
    (T + "codec/topic/update_reply", 1, 0),
    (f"/{PK}/{DN}/user/get", 0, 0),
]


@pytest.mark.parametrize(("topic", "all_replies", "few"), IMPLIED)
def test_what_a_device_gets_without_a_subscription(world, topic, all_replies, few):
    assert down(world(), topic) == all_replies
    found = world(switches={"implied_replies": False})
    assert down(found, topic) == few
    found.instance.sessions.subscribe(found.device.session, topic)
    assert down(found, topic) == 1
    found.device.session.system = False
    found.device.session.filters.clear()
    assert down(found, topic) == 0


@pytest.mark.parametrize(("switch", "sent"), [("off", 60), ("drop", 50)])
def test_messages_a_second(world, switch, sent):
    found = world(switches={"downlink_rate": switch})
    assert sum(down(found, T + "thing/service/x") for _ in range(60)) == sent
    found.now += 1
    assert down(found, T + "thing/service/x") == 1


def test_bytes_a_second(world):
    found = world(switches={"downlink_rate": "drop"}, limits={"downlink_bytes": 250})
    assert [down(found, T + "thing/service/x", b"x" * 100) for _ in range(3)] == [1, 1, 0]
    found.now += 1
    assert down(found, T + "thing/service/x", b"x" * 100) == 1
