"""Makes vectors_application.json out of firmware/protocol/application.md.

    .venv/bin/python host_tests/support/vectors/application.py

It shares no code with the firmware or the emulated cloud. What the page prints whole is looked for in it, its tables
of codes are read from it; check values, block framings and times are computed here, bit by bit. A request's `client`
is whose form it has: C4 and Node are the official SDKs, doc is the documentation. `{pk}` and `{dn}` stand for names.
"""

import json
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "firmware" / "protocol" / "application.md").read_text(encoding="utf-8")
FILE = Path(__file__).with_name("vectors_application.json")
REQUESTS = Path(__file__).with_name("application_requests.txt")
S = "/sys/{pk}/{dn}/"
JOINED = re.sub(r"\s", "", PAGE)


def quoted(text):
    """`text`, which the page has to print as it is, blanks aside."""
    if re.sub(r"\s", "", text) not in JOINED:
        raise SystemExit(f"application.md does not print {text}")
    return text


def section(number):
    """The text of a section of the page."""
    found = re.search(rf"^##+ {re.escape(number)}[. ].*?$(.*?)(?=^##|\Z)", PAGE, re.M | re.S)
    return found.group(1)


def codes(number):
    """{code: {meaning, `message` where the page prints it}} of a section's first table, without ranges."""
    found = {}
    for numbers, rest in re.findall(r"^\| ([0-9, /]+) \|(.*)\|$", section(number), re.M):
        cells = [cell.strip() for cell in rest.split("|")]
        printed = re.findall(r"`([^`]+ [^`]+)`", cells[-1]) or cells[:1] * (number == "1.1")
        for code in re.findall("[0-9]+", numbers):
            found[code] = {"meaning": cells[-1]} | ({"message": printed[0]} if printed else {})
    return found


# ---- topics: direction, topic, whether a reply is awaited, section

UP, DOWN = "up", "down"
TOPICS = [
    (UP, "thing/dsltemplate/get", True, "2"),
    (UP, "thing/event/property/post", True, "3.1"),
    (UP, "thing/event/{id}/post", True, "3.1"),
    (UP, "thing/event/property/batch/post", True, "3.1"),
    (UP, "thing/event/property/pack/post", True, "3.1"),
    (UP, "thing/event/property/history/post", True, "3.1"),
    (UP, "thing/property/desired/get", True, "3.6"),
    (UP, "thing/property/desired/delete", True, "3.6"),
    (UP, "thing/model/up_raw", True, "3.7"),
    (DOWN, "thing/model/down_raw", True, "3.7"),
    (DOWN, "thing/service/property/set", True, "3.1"),
    (DOWN, "thing/service/property/get", True, "3.1"),
    (DOWN, "thing/service/{id}", True, "3.4"),
    (UP, "/shadow/update/{pk}/{dn}", False, "6"),
    (DOWN, "/shadow/get/{pk}/{dn}", False, "6"),
    (DOWN, "rrpc/request/{messageId}", False, "7"),
    (UP, "rrpc/response/{messageId}", False, "7"),
    (UP, "/ext/ntp/{pk}/{dn}/request", False, "8"),
    (DOWN, "/ext/ntp/{pk}/{dn}/response", False, "8"),
    (UP, "thing/deviceinfo/update", True, "9"),
    (UP, "thing/deviceinfo/delete", True, "9"),
    (UP, "thing/config/get", True, "10"),
    (DOWN, "thing/config/push", True, "10"),
    (UP, "thing/config/log/get", True, "11"),
    (DOWN, "thing/config/log/push", False, "11"),
    (UP, "thing/log/post", True, "11"),
    (UP, "thing/file/upload/mqtt/init", True, "12"),
    (UP, "thing/file/upload/mqtt/send", True, "12"),
    (UP, "thing/file/upload/mqtt/cancel", True, "12"),
    (DOWN, "thing/job/notify", True, "13"),
    (UP, "thing/job/get", True, "13"),
    (UP, "thing/job/update", True, "13"),
    (DOWN, "broadcast/request/{messageId}", False, "13"),
    (UP, "codec/topic/update", True, "13"),
]


def printed_topic(tail):
    """What the page prints of a topic: `S/` + tail, a whole topic, or the rest of one after an ellipsis."""
    last = tail.rsplit("/", 1)[-1]
    for text in (f"S/{tail}", tail, "/sys/{pk}/{dn}/" + tail, f"…/{last}"):
        if f"`{text}" in PAGE:
            return
    raise SystemExit(f"application.md does not print the topic {tail}")


def topics():
    made = []
    for direction, tail, reply, where in TOPICS:
        printed_topic(tail)
        topic = tail if tail.startswith("/") else S + tail
        made.append({"name": tail, "direction": direction, "topic": topic, "reply": reply, "section": where})
    return made


# ---- envelopes, byte for byte


def requests():
    """Those of application_requests.txt; `id` is the JSON text of the request's id, None without one."""
    made = []
    for text in re.sub(r"^#.*\n", "", REQUESTS.read_text(encoding="utf-8"), flags=re.M).strip().split("\n\n"):
        head, payload, *rest = text.split("\n")
        name, client, where, tail, code, *printed = head.split()
        if printed:
            quoted(payload)
        identifier = re.search(r'^{"id": ?("[^"]*"|[0-9]+)', payload)
        made.append(
            {
                "name": name,
                "client": client,
                "section": where,
                "topic": tail if tail.startswith("/") else S + tail,
                "payload": payload,
                "id": identifier.group(1) if identifier else None,
                "code": int(code),
                **json.loads("".join(rest) or "{}"),
            }
        )
    return made


def replies():
    """What the platform answers, as the page prints it; `to` names the request."""
    return [
        {
            "to": "post",
            "payload": quoted(
                '{"code":200,"data":{},"id":"1","message":"success",'
                '"method":"thing.event.property.post","version":"1.0"}'
            ),
        },
    ]


def downlinks():
    """What the platform asks, and the answer of C4: that of a synchronous service goes out on the same topic."""
    quoted('{"method":"thing.service.property.set","id":"105917531","params":{"on":0},"version":"1.0.0"}')
    quoted('{"id":"105917531","code":200,"data":{}}')
    rows = (
        ("set", S + "thing/service/property/set", "thing.service.property.set", '{"on":0}', "{}"),
        (
            "service",
            S + "thing/service/SetWeight",
            "thing.service.SetWeight",
            '{"NewWeight":1.5}',
            '{"OldWeight":2.5}',
        ),
        (
            "sync",
            "/ext/rrpc/{messageId}" + S + "thing/service/Weigh",
            "thing.service.Weigh",
            "{}",
            '{"weight":1.5}',
        ),
    )
    payload = '{"method":"%s","id":"105917531","params":%s,"version":"1.0.0"}'
    return [
        {
            "name": name,
            "topic": topic,
            "params": json.loads(params),
            "payload": payload % (method, params),
            "answer": '{"id":"105917531","code":200,"data":%s}' % data,
        }
        for name, topic, method, params, data in rows
    ]


# ---- arithmetic


def reflected(value, width):
    return int(f"{value:0{width}b}"[::-1], 2)


def crc(data, width, polynomial, initial, final):
    """A reflected CRC by division, a bit at a time, most significant first."""
    register, top = initial, 1 << (width - 1)
    for byte in data:
        register ^= reflected(byte, 8) << (width - 8)
        for _ in range(8):
            register = ((register << 1) ^ (polynomial if register & top else 0)) & ((1 << width) - 1)
    return reflected(register, width) ^ final


CRC16 = 16, 0x8005, 0, 0
CRC64 = 64, 0x42F0E1EBA9EA3693, 2**64 - 1, 2**64 - 1
SAMPLES = {
    "empty": b"",
    "check": b"123456789",
    "hello": b"hello",
    "world": b"world",
    "every-byte": bytes(range(256)),
    "block": bytes(n * n * 7 & 255 for n in range(512)),
}


def check_values():
    made = [
        {"name": name, "data": data.hex(), "crc16": crc(data, *CRC16), "crc64": f"{crc(data, *CRC64):016x}"}
        for name, data in SAMPLES.items()
    ]
    check = next(one for one in made if one["name"] == "check")
    quoted("0x%04X" % check["crc16"])
    quoted("0x" + check["crc64"].upper())
    quoted(check["crc64"])
    return made


def block(name, text, data):
    """A message with a block: length of the JSON, the JSON, the block, its CRC-16 low byte first."""
    message = (
        len(text.encode()).to_bytes(2, "big") + text.encode() + data + crc(data, *CRC16).to_bytes(2, "little")
    )
    return {"name": name, "json": text, "block": data.hex(), "message": message.hex()}


def split(made):
    """The three pieces in which the page prints a message."""
    end = 4 + 2 * len(made["json"].encode())
    quoted(" ".join(f"`{one}`" for one in (made["message"][:end], made["block"], made["message"][-4:])))
    return made


def blocks():
    part = '{"id":"%s","params":{"uploadId":"%s","offset":%d,"bSize":%d,"isComplete":%s}}'
    long = "u" * 200
    return {
        "send": [
            split(block("file-last", part % (7, "u1", 0, 5, "true"), b"hello")),
            block("file-first", part % (2, "u1", 0, 256, "false"), SAMPLES["every-byte"]),
            block("file-second", part % (3, "u1", 256, 512, "true"), SAMPLES["block"]),
            block("long-header", part % (4294967295, long, 16777215, 1, "true"), b"\0"),
            block("nothing", part % (4, "u1", 0, 0, "true"), b""),
        ],
        "download": [
            split(
                block(
                    "world", '{"id":"1","code":200,"data":{"fileLength":11,"bSize":5,"bOffset":6}}', b"world"
                )
            ),
            block("refused", '{"id":"1","code":400,"msg":"file too large"}', b""),
        ],
    }


def ntp():
    rows = {
        "page": (100, 1010, 1015, 125),
        "zero": (0, 0, 0, 0),
        "board-there-and-back": (100, 1780000001010, 1780000001015, 125),
        "board-slow-way-back": (5, 1700000000000, 1700000000010, 4095),
        "board-after-days": (86400000, 1780000000123, 1780000000133, 86400310),
    }
    quoted("(serverRecvTime + serverSendTime + deviceRecvTime − deviceSendTime) / 2")
    quoted("received at 125 → 1025")
    names = ("deviceSendTime", "serverRecvTime", "serverSendTime", "deviceRecvTime")
    return [
        {"name": name, **dict(zip(names, row)), "now": (sum(row[1:]) - row[0]) // 2}
        for name, row in rows.items()
    ]


def pack():
    """A gateway's message with its own values and a sub-device's, under the names of both (3.5)."""
    point = '{"value":1,"time":1524448722000}'
    event = '{"alarm":{"value":{"errorCode":"E1"},"time":1524448722000}}'
    own = '"properties":{"on":%s},"events":%s' % (point, event)
    other = (
        '{"identity":{"productKey":"{sub_pk}","deviceName":"{sub_dn}"},"properties":{"on":%s},"events":{}}'
    )
    params = '{%s,"subDevices":[%s]}' % (own, other % point)
    method = "thing.event.property.pack.post"
    return {
        "topic": S + "thing/event/property/pack/post",
        "payload": '{"id":"10","version":"1.0","params":%s,"method":"%s"}' % (params, method),
        "values": {"on": 1},
        "event": ["alarm", {"errorCode": "E1"}],
    }


def shadow_versions():
    """A report's version against the stored one: code 0 for success, and what is stored then."""
    quoted("must be **greater** than the stored one, else 409; −1 resets to 0")
    pairs = "0 1, 1 2, 5 10, 1 1, 5 4, 5 0, 0 1524448722000, 1524448722000 1, 5 -1, 0 -1, 5 9007199254740993"
    rows = [map(int, pair.split()) for pair in pairs.split(",")]
    made = []
    for stored, version in rows:
        good = version > stored or version == -1
        after = (0 if version == -1 else version) if good else stored
        made.append({"stored": stored, "version": version, "code": 0 if good else 409, "after": after})
    wrong = [{"stored": 1, "version": text, "code": 403, "after": 1} for text in ("2", None, [], True)]
    return made + wrong


def shadow_errors():
    """Requests that the page has a code for."""
    many = ",".join(f'"a{n}":{n}' for n in range(129))
    return [
        {"payload": "{", "code": 400},
        {"payload": "[]", "code": 400},
        {"payload": '{"state":{"reported":{"a":1}},"version":1}', "code": 401},
        {"payload": '{"method":"update","version":1}', "code": 402},
        {"payload": '{"method":"update","state":{"reported":{"a":1}},"version":"1"}', "code": 403},
        {"payload": '{"method":"update","state":{},"version":1}', "code": 404},
        {"payload": '{"method":"update","state":{"reported":{}},"version":1}', "code": 405},
        {"payload": '{"method":"upsert","state":{"reported":{"a":1}},"version":1}', "code": 406},
        {"payload": '{"method":"update","state":{"reported":{%s}},"version":1}' % many, "code": 408},
    ]


# ---- values of the thing model: a dataType, a wire value, the codes of which one is given (0: it fits)

KINDS = r"""
{"int": {"type": "int", "specs": {"min": "-5", "max": "100"}},
 "float": {"type": "float", "specs": {"min": "-40", "max": "125"}},
 "double": {"type": "double", "specs": {"min": "0", "max": "1"}},
 "text": {"type": "text", "specs": {"length": "8"}},
 "date": {"type": "date", "specs": {}},
 "bool": {"type": "bool", "specs": {"0": "off", "1": "on"}},
 "enum": {"type": "enum", "specs": {"0": "a", "2": "b"}},
 "struct": {"type": "struct", "specs": [{"identifier": "x", "name": "x", "dataType": {"type": "int", "specs": {}}}]},
 "array": {"type": "array", "specs": {"size": "2", "item": {"type": "int"}}}}
"""
VALUES = r"""
int 0 [0, -5, 100]
int 6306 [101, -6, 2147483648, 1.5, "1", null, [], {"a": 1}]
float 0 [21.5, -40, 125]
float 6307 [125.5, -41, "21.5", null, []]
double 0 [0, 1, 0.25]
double 6322 [-0.5, 2, "0"]
text 0 ["", "12345678"]
text 6310 ["123456789", 5, null, []]
date 0 ["0", "1524448722000"]
date 6311 [[], null, {"a": 1}]
date 6311 6326 ["", "now", "-1", "1.5"]
bool 0 [0, 1]
bool 6308 [2, -1, "1", 0.5, null]
enum 0 [0, 2]
enum 6309 [1, "0", 0.5, null]
struct 0 [{}, {"x": 1}]
struct 6312 [1, "x", [], null]
struct 6303 6304 [{"y": 1}]
array 0 [[], [1], [1, 2]]
array 6324 [[1, 2, 3]]
array 6325 [["1"], [null]]
array 6328 [1, "1", null]
"""


def values():
    """[{kind, codes, value}]; `codes` is empty for what fits."""
    made = []
    for kind, numbers, ones in re.findall(r"^(\w+) ([\d ]+) (.*)$", VALUES, re.M):
        expected = [int(code) for code in numbers.split() if code != "0"]
        assert all(str(code) in codes("1.2") for code in expected)
        made += [{"kind": kind, "codes": expected, "value": value} for value in json.loads(ones)]
    return made


def content():
    return {
        "about": "Test vectors for what a device does after the login. Made by application.py out of application.md.",
        "topics": topics(),
        "device_codes": codes("1.1"),
        "cloud_codes": codes("1.2"),
        "upload_codes": codes("12"),
        "tsl": json.loads(FILE.with_name("application_tsl.json").read_text(encoding="utf-8")),
        "requests": requests(),
        "replies": replies(),
        "downlinks": downlinks(),
        "pack": pack(),
        "checks": check_values(),
        "blocks": blocks()["send"],
        "download_blocks": blocks()["download"],
        "ntp": ntp(),
        "shadow_versions": shadow_versions(),
        "shadow_errors": shadow_errors(),
        "kinds": json.loads(KINDS),
        "values": values(),
    }


def written():
    """The file's text."""
    return json.dumps(content(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(written(), encoding="utf-8")
