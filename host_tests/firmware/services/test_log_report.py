"""Log lines: switched on and off, kept until they are acknowledged, the last crash among them."""

import machine
from aliot import clock, crash
from aliot.services.log import Log
from device_peer import DevicePeer

HEAP = "256K"
GET, PUSH, POST = "thing/config/log/get", "thing/config/log/push", "thing/log/post"
NOW = 1583507727  # 2020-03-06T15:15:27 UTC
TABLES = {
    "test_memory_that_is_no_crash_line_stays_as_it_is": [
        (b"\x01\xff\xfe",),
        (b"\x01text",),
        (b'\x01{"aliot":"\xff',),
    ],
    "test_what_says_no_mode_changes_nothing": [
        ("empty", {}),
        ("a list", []),
        ("text", "x"),
        ("content of text", {"getType": "content", "content": "1"}),
        ("no mode", {"content": {}}),
        ("another mode", {"content": {"mode": 7}}),
        ("mode of an object", {"content": {"mode": {}}}),
    ],
}


class Platform(DevicePeer):
    """Answers for a mode; `code` answers posts, None: silence."""

    def __init__(self, mode=1, code=200):
        super().__init__(self.reply)
        self.mode = {"getType": "content", "content": {"mode": mode}}
        self.code = code
        machine.RTC().memory(b"")
        clock.utc = lambda: NOW

    def reply(self, topic, message):
        if topic == GET:
            return 200, self.mode
        return self.code and (self.code, {})

    def posted(self):
        return [line["logContent"] for message in self.messages(POST) for line in message["params"]]

    def push(self, mode):
        self.deliver(
            PUSH, {"id": "1", "version": "1.0", "params": {"getType": "content", "content": {"mode": mode}}}
        )


def test_lines_are_the_documents():
    peer = Platform()
    logs = Log(peer)
    logs.report("ERROR", "ModuleA", "text", "4103", trace="123456")
    logs.report("INFO", "ModuleB", "more")
    peer.ms = 65000
    peer.connect()
    peer.run(logs, 1000)
    assert peer.messages(GET)[0]["params"] == {"configScope": "device", "getType": "content"}
    message = peer.messages(POST)[0]
    assert message["method"] == "thing.log.post" and message["params"] == [
        {
            "utcTime": "2020-03-06T15:14:22.000+0000",
            "logLevel": "ERROR",
            "module": "ModuleA",
            "code": "4103",
            "traceContext": "123456",
            "logContent": "text",
        },
        {
            "utcTime": "2020-03-06T15:14:22.000+0000",
            "logLevel": "INFO",
            "module": "ModuleB",
            "code": "0",
            "logContent": "more",
        },
    ]
    peer.run(logs, 5000)
    assert len(peer.messages(POST)) == 1 and not logs.queue


def test_the_platform_switches_it_on_and_off():
    peer = Platform(mode=0)
    logs = Log(peer)
    logs.report("INFO", "a", "before")
    peer.connect()
    peer.run(logs, 1000)
    logs.report("INFO", "a", "off")
    peer.push(1)
    peer.run(logs, 100)
    logs.report("INFO", "a", "on")
    peer.run(logs, 100)
    peer.push(0)
    peer.run(logs, 100)
    logs.report("INFO", "a", "off again")
    peer.push("1")
    peer.run(logs, 100)
    assert peer.posted() == ["on"] and not peer.messages(PUSH + "_reply")


def test_what_says_no_mode_changes_nothing(name, data):
    peer = Platform()
    peer.mode = data
    logs = Log(peer)
    logs.report("INFO", "a", "waits")
    peer.connect()
    peer.run(logs, 1000)
    peer.deliver(PUSH, {"id": "1", "params": data})
    peer.run(logs, 100)
    assert logs.on is None and len(logs.queue) == 1 and not peer.posted() and not peer.failures


def test_lines_are_bounded_and_the_oldest_give_way():
    peer = Platform()
    logs = Log(peer, 5)
    for number in range(8):
        logs.report("INFO", "a", "x" * number)
    assert logs.dropped == 3 and len(logs.queue) == 5
    logs.report("INFO", "a", "y" * 5000)
    peer.connect()
    peer.run(logs, 1000)
    assert [len(line) for line in peer.posted()] == [4, 5, 6, 7, 1024]


def test_a_message_has_few_lines():
    peer = Platform()
    logs = Log(peer, 50)
    for _ in range(12):
        logs.report("INFO", "a", "x")
    for _ in range(4):
        logs.report("INFO", "a", "x" * 1000)
    peer.connect()
    peer.run(logs, 3000)
    assert [len(message["params"]) for message in peer.messages(POST)] == [10, 4, 2]


def test_lines_that_were_not_acknowledged_go_again():
    peer = Platform(code=None)
    logs = Log(peer)
    logs.report("INFO", "a", "one")
    peer.connect()
    peer.run(logs, 1000)
    peer.disconnect()
    logs.report("INFO", "a", "two")
    peer.code = 200
    peer.connect()
    peer.run(logs, 2000)
    assert peer.posted() == ["one", "one", "two"] and not logs.queue


def test_silence_is_asked_again_later_and_a_refusal_drops_lines():
    peer = Platform(code=None)
    logs = Log(peer)
    logs.report("INFO", "a", "one")
    peer.connect()
    peer.run(logs, 60000)
    assert peer.posted() == ["one"]
    peer.code = 460
    peer.run(logs, 15000)
    assert peer.posted() == ["one", "one"] and logs.dropped == 1 and not logs.queue
    assert peer.states[-1][1]["code"] == "thing.460" and peer.states[-1][1]["advice"]


def test_lines_that_give_way_while_they_are_sent():
    peer = Platform(code=None)
    logs = Log(peer, 3)
    for name in "abc":
        logs.report("INFO", "a", name)
    peer.connect()
    logs.poll(0)
    peer.run(logs, 50)
    id = peer.messages(POST)[0]["id"]
    for name in "de":
        logs.report("INFO", "a", name)
    peer.deliver(POST + "_reply", {"id": id, "code": 200, "data": {}})
    peer.code = 200
    peer.run(logs, 1000)
    assert peer.posted() == ["a", "b", "c", "d", "e"] and logs.dropped == 2


def test_memory_that_is_no_crash_line_stays_as_it_is(kept):
    peer = Platform()
    machine.RTC().memory(kept)
    logs = Log(peer)
    logs.report("INFO", "a", "running")
    peer.connect()
    peer.run(logs, 1000)
    assert peer.posted() == ["running"] and machine.RTC().memory() == kept


def test_what_is_no_text_goes_as_text():
    peer = Platform()
    logs = Log(peer)
    logs.report("WARN", "pump", 42, 4103)
    try:
        logs.report("WARN", "pump", chr(0xD800))
        raise AssertionError("taken")
    except ValueError:
        pass
    peer.connect()
    peer.run(logs, 1000)
    line = peer.messages(POST)[0]["params"][0]
    assert line["logContent"] == "42" and line["code"] == "4103" and peer.posted() == ["42"]


class Restarted(BaseException):
    pass


def test_the_last_crash_is_reported_once_after_the_next_connect():
    def reset():
        raise Restarted

    peer = Platform()
    crash.time.sleep = lambda seconds: None
    crash.machine.reset = reset
    for text in ("first", "second"):
        try:
            crash.restart(ValueError(text))
        except Restarted:
            pass
    logs = Log(peer)
    logs.report("INFO", "a", "running")
    peer.connect()
    peer.run(logs, 2000)
    first = peer.messages(POST)[0]["params"][0]
    assert first["logLevel"] == "FATAL" and first["module"] == "crash"
    assert '"code":"ValueError"' in first["logContent"].replace(" ", "") and "second" in first["logContent"]
    assert peer.posted()[1:] == ["running"]
    assert machine.RTC().memory() == b"\x02"  # the count of crashes goes on
    peer.connect()
    peer.run(logs, 1000)
    assert len(peer.posted()) == 2
