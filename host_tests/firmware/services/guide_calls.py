"""The calls of firmware/guides/application.md, "Services": host_tests/firmware/test_service_guide.py asks."""

from device_peer import NAMES
from https_files import Files, http, sign
from upload_platform import Platform, write

CONFIG = b'{"every":5}'
SHADOW = {"status": "success", "state": {"reported": {}, "desired": {"color": "red"}}}


class Everything(Platform):
    """Answers what any service asks."""

    config = {
        "url": "https://files.example/a",
        "sign": sign(CONFIG),
        "signMethod": "Sha256",
        "configSize": len(CONFIG),
    }

    def reply(self, topic, message):
        if topic.endswith("/upload/mqtt/init") or topic.endswith("/upload/mqtt/send"):
            return super().reply(topic, message)
        if topic.startswith("/ext/ntp/"):
            times = {"serverRecvTime": 1800000000000, "serverSendTime": 1800000000000}
            times.update(message)
            return [("/ext/ntp/%s/response" % NAMES, times)]
        if topic.startswith("/shadow/"):
            payload = SHADOW if message["method"] == "get" else {"status": "success"}
            return [
                (
                    "/shadow/get/" + NAMES,
                    {"method": "reply", "payload": payload, "version": message.get("version", 3)},
                )
            ]
        if topic == "thing/model/up_raw":
            return [(topic + "_reply", b"\x01")]
        if isinstance(message, dict) and "method" in message:
            return 200, {
                "thing/config/get": self.config,
                "thing/config/log/get": {"getType": "content", "content": {"mode": 1}},
                "thing/job/get": {"task": {"taskId": "7", "jobDocument": {"do": "x"}}, "tasks": []},
            }.get(topic, {})


def run(value):
    """Run a piece of the guide; `said` ((topic, message) of the platform), `sent` topics that have to go out."""
    write(b"a log", "/log.txt")
    Files(http(CONFIG))
    peer = Everything()
    names = {"device": peer, "print": lambda *texts: None}
    exec(value["code"], names)
    peer.connect()
    for topic, message in value["received"]:
        peer.deliver(topic, message)
    peer.wait()
    if hasattr(peer, "requests"):
        peer.run(peer.requests, 2000)
    assert not peer.failures, peer.failures
    assert not [fields for state, fields in peer.states if state == "error"], peer.states
    topics = peer.topics()
    assert not [topic for topic in value["sent"] if topic not in topics], topics
