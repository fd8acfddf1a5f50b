"""Faults of downloads and of messages, over real sockets: what reaches a device, to the byte."""

import json
import socket
import ssl
from urllib.parse import urlsplit

import pytest

from host_tests.support.cloud.client import DN, PK, WAIT, Client, T, connect_packet, read_all, settings
from host_tests.support.cloud.gateway import ONE, pair
from tools.emulator.cloud.codec import Publish
from tools.emulator.cloud.process import Cloud

FILE = bytes(range(256)) * 4
UPGRADE = f"/ota/device/upgrade/{PK}/{DN}"
BLOCK = T + "thing/file/download"


class Offer:
    """A cloud whose device `client` has been offered FILE in a batch."""

    def __init__(self, cloud, client, pk=PK, **job):
        self.cloud, self.client, self.pk, self.job = cloud, client, pk, job

    @classmethod
    def connected(cls, cloud, **job):
        client = cloud.mqtt("mqtt_tcp").online(connect_packet(mode="3", extra="_ss=1"))
        made = cls(cloud, client, **job)
        made.inform("1.0.0")
        return made

    def inform(self, version):
        payload = json.dumps({"id": "1", "params": {"version": version}}).encode()
        self.client.send(Publish(f"/ota/device/inform/{PK}/{DN}", payload))
        self.client.nothing()

    def api(self, action, **values):
        answer = self.cloud.admin("POST", f"/api/{action}", {"ProductKey": self.pk, **values})
        assert answer["Success"], answer
        return answer["Data"]

    def start(self):
        """Makes a package and a batch; the data of the push."""
        self.plan()
        return self.push()

    def plan(self):
        given = self.api("GenerateOTAUploadURL")
        self.cloud.instance.ota.packages.upload(given["Key"], FILE)
        firmware = self.api(
            "CreateOTAFirmware",
            FirmwareName=given["Key"],
            DestVersion="2.0.0",
            FirmwareUrl=given["FirmwareUrl"],
            NeedToVerify=False,
        )
        self.api("CreateOTAStaticUpgradeJob", FirmwareId=firmware["FirmwareId"], **self.job)

    def push(self):
        packet = self.client.read()
        assert packet.topic == UPGRADE
        return json.loads(packet.payload)["data"]

    def fetch(self, url, **headers):
        """Every byte that comes of a GET, and how it ends."""
        parts = urlsplit(url)
        fields = {"Host": parts.netloc, "Connection": "close", **headers}
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        with self.cloud.open("https", parts.netloc) as link:
            link.sendall(f"GET {parts.path}?{parts.query} HTTP/1.1\r\n{head}\r\n".encode())
            return read_all(link)

    def block(self, stream, size, offset):
        info = {"streamId": stream, "fileId": 1}
        params = {"fileInfo": info, "fileBlock": {"size": size, "offset": offset}}
        self.client.send(Publish(BLOCK, json.dumps({"id": "5", "params": params}).encode()))


@pytest.fixture
def offer(run):
    """`offer(**job)` is an `Offer` of one cloud."""
    with run() as cloud:
        made = []

        def start(**job):
            made.append(Offer.connected(cloud, **job))
            return made[-1]

        yield start
        for one in made:
            one.client.link.close()


def split(answer):
    head, _, body = answer.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    return int(status.split()[1]), dict(line.split(": ", 1) for line in lines), body


def test_a_download_as_it_should_be(offer):
    one = offer()
    data = one.start()
    status, headers, body = split(one.fetch(data["url"]))
    assert (status, headers["Content-Length"], body) == (200, str(len(FILE)), FILE)
    status, headers, body = split(one.fetch(data["url"], Range="bytes=100-"))
    assert (status, body) == (206, FILE[100:])
    assert one.cloud.device()["traffic"]["bytes_out"] > 2 * len(FILE)


def test_a_cut_leaves_exactly_so_many_bytes_and_the_next_range_goes_on(offer):
    one = offer()
    url = one.start()["url"]
    whole = one.fetch(url)
    head = len(whole) - len(FILE)
    for count in sorted({0, 1, head - 1, head, head + 1, *range(head, len(whole), 97), len(whole) - 1}):
        one.cloud.arm("https", "download", "cut", bytes=count, pk=PK, dn=DN)
        came = one.fetch(url)
        assert len(came) == count and whole[head:].startswith(came[head:])
        got = max(count - head, 0)
        status, _, rest = split(one.fetch(url, Range=f"bytes={got}-"))
        assert (status, came[head:] + rest) == (206, FILE), count


def test_a_fault_of_another_device_does_not_strike(offer):
    one = offer()
    url = one.start()["url"]
    one.cloud.arm("https", "download", "expired", pk=PK, dn="dev_0002")
    assert split(one.fetch(url))[2] == FILE


DOWNLOADS = [
    ({"kind": "expired"}, lambda status, headers, body: status == 403 and b"AccessDenied" in body),
    ({"kind": "status", "status": 503, "body": "busy"}, lambda s, h, body: (s, body) == (503, b"busy")),
    (
        {"kind": "redirect", "url": "https://x.example.com/a"},
        lambda s, headers, body: (s, headers["Location"]) == (302, "https://x.example.com/a"),
    ),
    ({"kind": "wrong_length", "by": 9}, lambda s, h, body: int(h["Content-Length"]) == len(body) + 9),
    ({"kind": "wrong_length", "by": -9}, lambda s, h, body: int(h["Content-Length"]) == len(body) - 9),
    ({"kind": "whole"}, lambda status, headers, body: (status, body) == (200, FILE)),
    ({"kind": "damage", "at": 7}, lambda s, h, body: (body[:7], body[8:]) == (FILE[1:8], FILE[9:]) and body[7] != 8),
    ({"kind": "chunked"}, lambda s, h, body: "Content-Length" not in h and h["Transfer-Encoding"] == "chunked"),
    ({"kind": "trickle", "bytes": 400, "ms": 5}, lambda status, h, body: (status, body) == (206, FILE[1:])),
    ({"kind": "delay", "ms": 20}, lambda status, h, body: (status, body) == (206, FILE[1:])),
]  # fmt: skip


def test_each_fault_of_a_download_strikes_once(offer):
    one = offer()
    url = one.start()["url"]
    for fault, struck in DOWNLOADS:
        one.cloud.arm("https", "download", **fault)
        assert struck(*split(one.fetch(url, Range="bytes=1-"))), fault
        assert split(one.fetch(url, Range="bytes=1-"))[2] == FILE[1:], fault
    for kind in ("close", "reset"):
        one.cloud.arm("https", "download", kind)
        assert one.fetch(url) == b""


def test_a_push_without_a_field_and_a_doubled_one(offer):
    one = offer()
    one.cloud.arm("mqtt_tcp", "deliver", "without", field="sign", topic=f"upgrade/{PK}/{DN}")
    assert set(one.start()) == {"size", "version", "signMethod", "md5", "url"}
    one.client.nothing()
    one.inform("2.0.0")
    one.inform("1.0.0")
    one.cloud.arm("mqtt_tcp", "deliver", "twice", topic=f"upgrade/{PK}/{DN}")
    assert one.start() == one.push()
    one.client.nothing()


def test_an_answer_without_a_field(offer):
    one = offer()
    one.start()
    one.cloud.arm("mqtt_tcp", "reply", "without", field="url", topic="firmware/get_reply")
    one.client.send(Publish(T + "thing/ota/firmware/get", b'{"id":"1","params":{}}'))
    assert "url" not in json.loads(one.client.read().payload)["data"]


@pytest.mark.parametrize("kind", ["wrong_crc", "damage", "wrong_offset", "silent", "late", "twice"])
def test_a_block_that_is_spoiled_lost_late_or_there_twice(offer, kind):
    one = offer(DownloadProtocol="MQTT")
    stream = one.start()["streamId"]
    one.block(stream, 16, 32)
    good = one.client.read().payload
    assert good[-18:-2] == FILE[32:48]
    one.cloud.arm(
        "mqtt_tcp", "reply", kind, topic="file/download_reply", **({"ms": 50} if kind == "late" else {})
    )
    one.block(stream, 16, 32)
    if kind in ("silent", "late"):
        one.client.nothing()
    if kind == "silent":
        return
    found = one.client.read().payload
    assert (found == good) == (kind in ("late", "twice"))
    if kind == "twice":
        assert one.client.read().payload == good
    one.block(stream, 16, 32)
    assert one.client.read().payload == good


def test_the_storages_host_has_files_only_and_other_hosts_have_none(offer):
    one = offer()
    url = one.start()["url"]
    host = urlsplit(url).netloc
    status, _, body = one.cloud.https_raw(
        f"POST /auth/register/device HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        host,
    )
    assert (status, b"MethodNotAllowed" in body) == (405, True)
    answer = one.cloud.https_raw(
        f"GET {url.split(host)[1]} HTTP/1.1\r\nHost: iot-auth.cn-shanghai.aliyuncs.com\r\nConnection: close\r\n\r\n"
    )
    assert answer[0] == 404
    with pytest.raises(ssl.SSLCertVerificationError):
        one.cloud.open("https", "iotx-ota.oss-us-east-1.aliyuncs.com")


def test_a_killed_cloud_has_lost_nothing(tmp_path, certificates):
    with Cloud(settings(), tmp_path / "run", ca=certificates) as process:

        def connect():
            client = Client(socket.create_connection(("127.0.0.1", process.ports["mqtt_tcp"]), WAIT))
            return client.online(connect_packet(mode="3", extra="_ss=1"))

        def shown():
            return process.call("ListOTATaskByJob", JobId=job), process.call("QueryOTAJob", JobId=job)

        with connect() as client:
            one = Offer(process, client)
            one.inform("1.0.0")
            firmware = process.call(
                "CreateOTAFirmware",
                ProductKey=PK,
                FirmwareName="x",
                DestVersion="2.0.0",
                FirmwareUrl=process.upload(FILE),
                NeedToVerify=False,
            )["FirmwareId"]
            values = {"FirmwareId": firmware, "DownloadProtocol": "MQTT", "TimeoutInMinutes": 5}
            job = process.call("CreateOTAStaticUpgradeJob", ProductKey=PK, **values)["JobId"]
            stream = one.push()["streamId"]
            topic = f"/ota/device/progress/{PK}/{DN}"
            client.send(Publish(topic, b'{"id":"1","params":{"step":"50"}}'))
            client.nothing()
            before = shown()
            process.kill()
        process.start()
        assert shown() == before and before[0]["List"][0]["Progress"] == "50"
        with connect() as client:
            Offer(process, client).block(stream, 16, 32)
            assert client.read().payload[-18:-2] == FILE[32:48]
        process.advance(300)
        (report,) = process.server_messages(0, WAIT, f"/{PK}/{DN}/ota/upgrade")
        assert (report["body"]["status"], report["body"]["desc"]) == ("FAILED", "timeout")


def test_the_process_begins_a_batch_at_its_time(offer):
    one = offer()
    one.job = {"ScheduleTime": int((one.cloud.instance.wall() + 3600) * 1000)}
    one.plan()
    one.cloud.admin("POST", "/clock", {"advance": 3000})
    one.client.nothing()
    one.cloud.admin("POST", "/clock", {"advance": 600})
    assert one.push()["version"] == "2.0.0"


def test_a_sub_device_gets_the_push_through_its_gateway_at_its_login(gateway):
    client = gateway().bring(ONE)
    one = "/".join(ONE)
    inform = f"/ota/device/inform/{one}", {"id": "1", "params": {"version": "1.0.0"}}
    client.publish(*inform)
    client.ping()
    client.good("combine/logout", pair(ONE))
    Offer(client.cloud, client, ONE[0]).plan()
    assert client.heard() == []
    client.log_in(ONE)
    ((topic, body),) = client.heard()
    assert (topic, body["data"]["version"]) == (f"/ota/device/upgrade/{one}", "2.0.0")
