"""The vectors of application.md with the services: the platform's time, and what a shadow is sent."""

from aliot.services.ntp import Ntp
from aliot.services.shadow import Shadow
from device_peer import NAMES, DevicePeer

HEAP = "256K"
VECTORS = {
    "test_time_is_what_the_page_computes": ("vectors_application.json/ntp", "board-"),
    "test_a_shadow_goes_beyond_the_stored_version": ("vectors_application.json/shadow_versions", ""),
}


def test_time_is_what_the_page_computes(vector):
    """The device sends and receives when the vector says, by its own uptime; the platform's times are text."""

    def answer(topic, message):
        assert message == {"deviceSendTime": str(vector["deviceSendTime"])}
        peer.ms = vector["deviceRecvTime"]
        reply = {name: str(vector[name]) for name in ("deviceSendTime", "serverRecvTime", "serverSendTime")}
        return [("/ext/ntp/%s/response" % NAMES, reply)]

    peer = DevicePeer(answer)
    ntp = Ntp(peer)
    peer.ms = vector["deviceSendTime"]
    assert abs(ntp.time() - vector["now"]) <= 1


def test_a_shadow_goes_beyond_the_stored_version(vector):
    """Whatever version the platform has stored, the next report's is one that it takes."""
    sent = []

    def answer(topic, message):
        sent.append(message)
        body = {"status": "success"}
        reply = {"method": "reply", "payload": body, "timestamp": 1469564576}
        if message["method"] == "get":
            body["state"] = {"reported": {}, "desired": {}}
            reply["version"] = vector["after"]
        else:
            body["version"] = message["version"]
        return [("/shadow/get/" + NAMES, reply)]

    Shadow(DevicePeer(answer)).report({"color": "red"})
    version = vector["after"] + 1
    assert sent == [
        {"method": "get"},
        {"method": "update", "state": {"reported": {"color": "red"}}, "version": version},
    ]
