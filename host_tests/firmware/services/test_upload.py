"""Uploads over MQTT: blocks, refusals, silence, reconnects and power cuts."""

import os
from binascii import unhexlify

from aliot.services.crc import Crc64
from aliot.services.crc16 import crc16
from aliot.services.upload import Upload
from device_peer import DevicePeer, raised
from upload_platform import TOPIC, Platform, content, made, write

HEAP = "512K"
TABLES = {
    "test_sizes": [(1,), (255,), (256,), (257,), (1000,), (1024,)],
    "test_names_that_cannot_be": [("_a",), (".a",), ("a b",), ("a/b",), ("\u6e29",), ("a-b",)],
    "test_a_code_that_ends_it": [(78117,), (78118,), (460,), (6100,)],
    "test_a_code_after_which_it_goes_on": [
        ("block wrong", [0, 78121, 0], None),
        ("offset wrong", [0, 78119, 0], "append"),
        ("had it already", [0, 78126, 0], None),
        ("too many messages", [0, 78127, 429, 500, 0], None),
        ("silence", [0, None, None, 0], None),
    ],
    "test_replies_that_are_none": [
        ("not JSON", b"{{"),
        ("no data", b'{"id":"%d","code":200}'),
        ("no id", b'{"id":"%d","code":200,"data":{"offset":0}}'),
        ("an id of numbers", b'{"id":"%d","code":200,"data":{"uploadId":5,"offset":0}}'),
        ("an offset beyond", b'{"id":"%d","code":200,"data":{"uploadId":"u","offset":5000}}'),
        ("an offset below", b'{"id":"%d","code":200,"data":{"uploadId":"u","offset":-1}}'),
        ("an offset of text", b'{"id":"%d","code":200,"data":{"uploadId":"u","offset":"x"}}'),
        ("another request's", b'{"id":"1","code":200,"data":{"uploadId":"u","offset":0}}'),
    ],
}


def clear():
    for name in os.listdir("/"):
        if name in ("upload", "upload.new"):
            os.remove("/" + name)


def test_the_sums_are_the_documents():
    assert crc16(b"123456789") == 0xBB3D and crc16(b"") == 0
    crc = Crc64()
    assert crc.text() == "0000000000000000"
    crc.update(b"1234")
    crc.update(b"56789")
    assert crc.text() == "995dc9bbdf1939fa"


def test_a_block_is_the_documents():
    clear()
    write(b"hello")
    frames = []
    peer = Platform()
    uploads, ends = made(peer)
    inner = peer.block
    peer.block = lambda frame: frames.append(frame) or inner(frame)
    peer.init = lambda message: setattr(peer, "last_id", 6) or (200, {"uploadId": "u1", "offset": 0})
    peer.open["u1"] = ["log.txt", b"", {"fileSize": 5, "ficValue": crc64_of(b"hello")}]
    uploads.start("/log.txt")
    peer.run(uploads, 1000)
    assert frames == [
        unhexlify(
            "004c7b226964223a2237222c22706172616d73223a7b2275706c6f61644964223a227531222c226f6666736574223a30"
            "2c226253697a65223a352c226973436f6d706c657465223a747275657d7d68656c6c6fd234"
        )
    ]
    assert ends == [("log.txt", None)]


def crc64_of(data):
    crc = Crc64()
    crc.update(data)
    return crc.text()


def test_sizes(size):
    clear()
    write(content(size))
    peer = Platform()
    uploads, ends = made(peer)
    uploads.start("/log.txt", "a.b_1")
    peer.run(uploads, 2000)
    assert peer.files == {"a.b_1": content(size)} and ends == [("a.b_1", None)]
    assert [one for offset, one in peer.blocks[:-1]] == [256] * (len(peer.blocks) - 1)
    assert peer.subscribed == [TOPIC + "init_reply", TOPIC + "send_reply"]
    first = peer.inits[0]
    assert (
        first["fileSize"] == size and first["conflictStrategy"] == "overwrite" and len(first["initUid"]) == 8
    )
    assert uploads.path == "" and "upload" not in os.listdir("/")


def test_one_at_a_time_and_then_the_next():
    clear()
    write(content(600))
    peer = Platform()
    uploads, ends = made(peer)
    uploads.start("/log.txt")
    assert raised(uploads.start, "/log.txt").code == "upload.busy"
    peer.run(uploads, 2000)
    uploads.start("/log.txt", "second")
    peer.run(uploads, 2000)
    assert [name for name, problem in ends] == ["log.txt", "second"] and len(peer.files) == 2


def test_names_that_cannot_be(name):
    clear()
    write(b"x")
    uploads = Upload(DevicePeer())
    assert raised(uploads.start, "/log.txt", name).code == "upload.name" and not uploads.path


def test_files_that_cannot_be():
    clear()
    uploads = Upload(DevicePeer())
    assert raised(uploads.start, "/none.txt").code == "upload.file"
    write(b"")
    assert raised(uploads.start, "/log.txt").code == "upload.file" and not uploads.path


def test_a_name_that_is_taken():
    clear()
    write(b"new")
    peer = Platform()
    peer.files["log.txt"] = b"old"
    uploads, ends = made(peer)
    uploads.start("/log.txt", conflict="reject")
    peer.run(uploads, 1000)
    assert ends == [("log.txt", "thing.78123")] and peer.files["log.txt"] == b"old"
    uploads.start("/log.txt")
    peer.run(uploads, 1000)
    assert peer.files["log.txt"] == b"new"


def test_a_code_that_ends_it(code):
    clear()
    write(content(600))
    peer = Platform()
    peer.codes = [0, code]
    uploads, ends = made(peer)
    uploads.start("/log.txt")
    peer.run(uploads, 30000)
    assert ends == [("log.txt", "thing.%d" % code)] and not uploads.path and "upload" not in os.listdir("/")


def test_a_code_after_which_it_goes_on(name, codes, strategy):
    clear()
    write(content(1000))
    peer = Platform()
    peer.codes = codes[:]
    uploads, ends = made(peer)
    uploads.start("/log.txt")
    if 78126 in codes:  # the platform has had that block
        stored = peer.stored

        def twice(params, rest):
            if peer.codes[:1] == [78126]:
                peer.open[params["uploadId"]][1] += rest[:-2]
            return stored(params, rest)

        peer.stored = twice
    peer.run(uploads, 60000)
    assert ends == [("log.txt", None)] and peer.files["log.txt"] == content(1000)
    assert [init["conflictStrategy"] for init in peer.inits[1:]] == ([strategy] if strategy else [])


def test_what_the_platform_has_lost_begins_anew():
    clear()
    write(content(1000))
    peer = Platform()
    peer.codes = [0, 0, 78122]
    uploads, ends = made(peer)
    uploads.start("/log.txt")
    peer.run(uploads, 5000)
    assert ends == [("log.txt", None)] and peer.inits[1]["conflictStrategy"] == "overwrite"
    assert [offset for offset, size in peer.blocks] == [0, 256, 0, 256, 512, 768]


def test_a_file_that_differs_again_and_again_ends():
    clear()
    write(content(300))
    peer = Platform()
    peer.codes = [0, 78125] * 20
    uploads, ends = made(peer)
    uploads.start("/log.txt")
    peer.run(uploads, 60000)
    assert ends == [("log.txt", "thing.78125")] and len(peer.inits) == 4


def test_silence_ends_after_six_blocks():
    clear()
    write(content(300))
    peer = Platform()
    peer.codes = [None] * 50
    uploads, ends = made(peer)
    uploads.start("/log.txt")
    peer.run(uploads, 65000)
    assert ends == [("log.txt", "thing.silent")] and len(peer.codes) == 44


def test_replies_that_are_none(name, text):
    clear()
    write(content(300))

    def answer(topic, message):
        if topic == TOPIC + "init":
            body = text.replace(b"%d", message["id"].encode())
            return [(topic + "_reply", body)]

    peer = DevicePeer(answer)
    uploads, ends = made(peer)
    uploads.start("/log.txt")
    peer.run(uploads, 70000)
    assert (
        ends == [("log.txt", "thing.silent")]
        and not peer.failures
        and uploads.asked not in uploads.requests.waiting
    )


def test_it_goes_on_after_a_reconnect():
    clear()
    write(content(1500))
    peer = Platform()
    uploads, ends = made(peer)
    uploads.start("/log.txt")
    while len(peer.blocks) < 3:
        uploads.poll(0)
    peer.disconnect()
    peer.run(uploads, 60000)
    assert not ends
    peer.connect()
    peer.run(uploads, 2000)
    assert ends == [("log.txt", None)] and peer.files["log.txt"] == content(1500)
    assert (
        peer.inits[1]["conflictStrategy"] == "append" and peer.inits[1]["initUid"] == peer.inits[0]["initUid"]
    )
    assert len(peer.blocks) == 6


def test_it_waits_for_a_connection():
    clear()
    write(content(300))
    peer = Platform()
    peer.client = None
    uploads, ends = made(peer)
    uploads.start("/log.txt")
    peer.run(uploads, 5000)
    assert not ends and not peer.sent
    peer.connect()
    peer.run(uploads, 2000)
    assert ends == [("log.txt", None)]


def test_it_goes_on_after_a_power_cut_where_the_file_is_the_same():
    for changed in (False, True):
        clear()
        write(content(1500))
        peer = Platform()
        uploads, ends = made(peer)
        uploads.start("/log.txt")
        while len(peer.blocks) < 3:
            uploads.poll(0)
        peer.restart()
        peer.failures = []
        wanted = content(1500) if not changed else content(1400)
        write(wanted)
        uploads, ends = made(peer)
        assert uploads.name == "log.txt"
        peer.run(uploads, 5000)
        assert ends == [("log.txt", None)] and peer.files["log.txt"] == wanted
        assert peer.inits[1]["conflictStrategy"] == ("overwrite" if changed else "append")
        assert len(peer.blocks) == (9 if changed else 6), peer.blocks


def test_cancelled():
    clear()
    write(content(1500))
    peer = Platform()
    uploads, ends = made(peer)
    uploads.start("/log.txt")
    while len(peer.blocks) < 3:
        uploads.poll(0)
    uploads.cancel()
    uploads.cancel()
    peer.run(uploads, 5000)
    assert not ends and not peer.open and not uploads.path and "upload" not in os.listdir("/")
    uploads.start("/log.txt", "again")
    peer.run(uploads, 5000)
    assert ends == [("again", None)] and peer.files == {"again": content(1500)}


def test_a_file_that_is_gone_or_shorter_ends_it():
    for shorter in (True, False):
        clear()
        write(content(1500))
        peer = Platform()
        uploads, ends = made(peer)
        uploads.start("/log.txt")
        while len(peer.blocks) < 3:
            uploads.poll(0)
        if shorter:
            write(content(700))
        else:
            os.remove("/log.txt")
        peer.run(uploads, 5000)
        assert ends == [("log.txt", "upload.file")], ends


def test_a_note_that_is_damaged_is_dropped():
    for text in (
        b"",
        b"{",
        b'{"path":5}',
        b'{"path":"/none","name":"a"}',
        b'{"path":"/log.txt","name":"../x"}',
    ):
        clear()
        write(content(300))
        write(text, "/upload")
        uploads = Upload(DevicePeer())
        assert not uploads.path and "upload" not in os.listdir("/"), text
