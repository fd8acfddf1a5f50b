"""Topics a device may use, and how filters match (direct.md 1.5, 7)."""

import pytest

from host_tests.support.cloud.client import DN, PK, USER, T, publish
from tools.emulator.cloud import topics
from tools.emulator.cloud.codec import Ack, Publish

OWN = [
    USER + "get",
    USER + "#",
    USER + "a/+/c",
    T + "thing/#",
    T + "thing/service/property/set",
    f"/shadow/get/{PK}/{DN}",
    f"/ota/device/upgrade/{PK}/{DN}",
    f"/ext/ntp/{PK}/{DN}/response",
    f"/ext/error/{PK}/{DN}",
    "/ext/rrpc/+/#",
    f"/broadcast/{PK}/news",
]

FOREIGN = [
    "#",
    "+",
    "/#",
    f"/{PK}/+/user/get",
    f"/+/{DN}/user/get",
    f"/{PK}/dev_0002/user/get",
    f"/sys/{PK}/dev_0002/#",
    f"/sys/{PK}/#",
    "/sys/#",
    f"/shadow/get/{PK}/+",
    "/ext/#",
    "/ext/register",
    "/broadcast/other/news",
    f"/{PK}/{DN}/get",
    f"/{PK}/{DN}/#",
    "user/get",
    "$SYS/#",
    f"/ext/ntp/{PK}/{DN}/request",
]


@pytest.mark.parametrize("switch, foreign", [("refuse", 0x80), ("grant", 0)])
def test_subscriptions_stay_inside_the_device(device, switch, foreign):
    cloud, client = device(switches={"foreign_subscribe": switch})
    for topic in OWN:
        assert client.subscribe(topic) == (0,), topic
    for topic in FOREIGN:
        assert client.subscribe(topic) == (foreign,), topic
    assert {entry["topic"] for entry in cloud.log(event="foreign topic", code=9236)} == set(FOREIGN)
    cloud.admin("POST", f"/products/{PK}/devices", {"device_names": ["dev_0002"]})
    assert publish(cloud, f"/{PK}/dev_0002/user/get")["sent"] == 0
    client.nothing()


@pytest.mark.parametrize("switch", ["drop", "close"])
def test_publishing_to_a_foreign_topic(device, switch):
    cloud, client = device(switches={"foreign_publish": switch})
    client.send(Publish(f"/{PK}/dev_0002/user/update", b"x", 1, 9))
    assert client.read() == Ack("puback", 9)
    if switch == "close":
        assert client.closed() == "fin"
    else:
        client.nothing()
    (entry,) = cloud.log(event="foreign topic")
    assert (entry["code"], entry["pk"], entry["dn"]) == (9236, PK, DN)
    assert cloud.messages() == []


@pytest.mark.parametrize(
    "topic_filter, topic, match",
    [
        ("a/b", "a/b", True),
        ("a/b", "a/b/c", False),
        ("a/+", "a/b", True),
        ("a/+", "a", False),
        ("a/+", "a/b/c", False),
        ("a/#", "a", True),
        ("a/#", "a/b/c", True),
        ("#", "a", True),
        ("#", "$SYS/a", False),
        ("+/a", "$SYS/a", False),
        ("+", "", True),
        ("a/+/c", "a//c", True),
        ("/a", "a", False),
    ],
)
def test_filters_match_as_the_standard_says(topic_filter, topic, match):
    assert topics.matches(topic_filter, topic) is match


@pytest.mark.parametrize(
    "topic, found",
    [
        (USER + "get", (PK, DN)),
        (T + "thing/x", (PK, DN)),
        (f"/shadow/get/{PK}/{DN}", (PK, DN)),
        (f"/ota/device/upgrade/{PK}/{DN}", (PK, DN)),
        (f"/ext/ntp/{PK}/{DN}/response", (PK, DN)),
        ("user/get", None),
        ("/sys/x", None),
        ("", None),
        ("/", None),
    ],
)
def test_which_device_a_topic_names(topic, found):
    assert topics.device_of(topic) == found
