"""Remote configuration: asked for, pushed, downloaded, refused, kept."""

import os

from aliot.errors import TlsError
from aliot.services.config import RemoteConfig
from device_peer import DevicePeer, raised
from https_files import Files, http, sign
from scripted import CLOSED, RESET, SILENT

HEAP = "512K"
GET, PUSH = "thing/config/get", "thing/config/push"
OLD, NEW = b'{"every":5}', b'{"every":60,"text":"' + b"x" * 3000 + b'"}'
URL = "https://iotx-config.oss-cn-shanghai.aliyuncs.com/a/b.json?Expires=1&Signature=a%2Bb"
PATH = "/remote.json"
TABLES = {
    "test_addresses": [
        ("https://h.example", "h.example", 443, "/"),
        ("HTTPS://h.example:8443?x=1", "h.example", 8443, "/?x=1"),
        ("https://h.example/a?b=/c#d", "h.example", 443, "/a?b=/c"),
    ],
    "test_what_is_no_address_of_https": [
        ("http", "http://h.example/a"),
        ("no host", "https:///a"),
        ("a user", "https://user@h.example/a"),
        ("a blank", "https://h.example/a b"),
        ("a line end", "https://h.example/a\r\nHost:x"),
        ("a line end in the host", "https://h.example\r\nX:1/a"),
        ("a port of text", "https://h.example:x/a"),
        ("a port too large", "https://h.example:65536/a"),
        ("too long", "https://h.example/" + "a" * 2048),
    ],
    "test_answers_that_are_no_offer": [
        ("empty", {}),
        ("a list", []),
        ("nothing", None),
        ("a url of numbers", {"url": 5, "sign": "0" * 64, "signMethod": "Sha256", "configSize": 5}),
        ("no digest", {"url": "https://h/a", "signMethod": "Sha256", "configSize": 5}),
        ("a short digest", {"url": "https://h/a", "sign": "00", "signMethod": "Sha256", "configSize": 5}),
        ("a digest of letters", {"url": "https://h/a", "sign": "g" * 64, "signMethod": "Sha256"}),
        ("another method", {"url": "https://h/a", "sign": "0" * 64, "signMethod": "Md5", "configSize": 5}),
        ("a size of text", {"url": "https://h/a", "sign": "0" * 64, "signMethod": "Sha256", "configSize": "x"}),
    ],
    "test_downloads_that_fail": [
        ("expired", "download.status", http(b"<Error><Code>AccessDenied</Code>", "403 Forbidden")),
        ("moved", "download.status", http(b"", "302 Found", more="Location: https://other/\r\n")),
        ("not HTTP", "download.http", b"SSH-2.0\r\n\r\n"),
        ("empty line", "download.http", b"\r\n\r\n"),
        ("no length", "download.http", b"HTTP/1.1 200 OK\r\n\r\n" + NEW),
        ("chunks", "download.http", http(NEW, more="Transfer-Encoding: chunked\r\n")),
        ("longer than named", "download.size", http(NEW + b" ")),
        ("negative", "download.size", http(NEW, length=-5)),
        ("endless head", "download.http", b"HTTP/1.1 200 OK\r\n" + b"a" * 17000),
        ("another", "download.digest", http(NEW[:-1] + b" ")),
        ("cut", "closed", http(NEW[:-1], length=len(NEW))),
        ("no answer", "closed", b""),
        ("unreachable", "certificate.name", TlsError("x", "certificate.name")),
    ],
}  # fmt: skip


def offer(data, url=URL):
    return {
        "configId": "123dagdah",
        "configSize": len(data),
        "sign": sign(data).upper(),
        "signMethod": "Sha256",
        "url": url,
        "getType": "file",
    }


def clear(data=None):
    for name in (PATH, PATH + ".new"):
        try:
            os.remove(name)
        except OSError:
            pass
    if data is not None:
        with open(PATH, "wb") as file:
            file.write(data)


def kept(config):
    assert os.listdir("/").count("remote.json.new") == 0
    file = config.open()
    return file and file.read()


class Application:
    def __init__(self, problem=None):
        self.problem = problem
        self.applied = []

    def __call__(self, file):
        self.applied.append(file.read())
        if self.problem:
            raise self.problem


def made(answer=None, problem=None):
    """(peer, application, config) whose get is answered with (code, data)."""
    peer = DevicePeer(lambda topic, message: answer if topic == GET else None)
    application = Application(problem)
    return peer, application, RemoteConfig(peer, application)


def test_asked_downloaded_applied_kept():
    clear()
    files = Files(http(NEW), piece=7)
    peer, application, config = made((200, offer(NEW)))
    assert kept(config) is None
    assert config.get() is True
    assert application.applied == [NEW] and kept(config) == NEW
    assert peer.sent[0][1]["params"] == {"configScope": "product", "getType": "file"}
    host, port, roots = files.asked[0]
    assert host == "iotx-config.oss-cn-shanghai.aliyuncs.com" and port == 443 and "globalsign_r1" in roots
    request = files.streams[0].written()
    assert request.startswith(b"GET /a/b.json?Expires=1&Signature=a%2Bb HTTP/1.1\r\nHost: iotx-config.")
    assert files.streams[0].closed
    assert config.get() is False and len(files.asked) == 1  # it is the one that is kept


def test_each_connect_asks_and_a_push_is_taken():
    clear()
    files = Files(http(OLD), http(NEW))
    peer, application, config = made((200, offer(OLD)))
    peer.connect()
    peer.run(config, 1000)
    assert application.applied == [OLD]
    peer.deliver(PUSH, {"id": 55, "version": "1.0", "params": offer(NEW), "method": "thing.config.push"})
    peer.run(config, 1000)
    assert application.applied == [OLD, NEW] and kept(config) == NEW
    reply = peer.messages(PUSH + "_reply")[0]
    assert reply["id"] == 55 and reply["code"] == 200 and reply["data"] == {}
    peer.answer = lambda topic, message: (200, offer(NEW))
    peer.connect()
    peer.run(config, 1000)
    assert len(files.asked) == 2 and not peer.states[2:]


def test_none_and_off_are_no_errors_of_a_connect():
    for code in (6710, 6713):
        peer, application, config = made((code, {}))
        peer.connect()
        peer.run(config, 200000)
        assert [state for state, fields in peer.states] == ["connected"] and len(peer.sent) == 1
        assert raised(config.get).number == code


def test_a_pushed_offer_that_is_none_is_answered_460():
    peer, application, config = made()
    peer.deliver(PUSH, {"id": "1", "params": {"url": "https://h/a"}})
    peer.deliver(PUSH, {"id": "2", "params": []})
    peer.deliver(PUSH, b"[")
    peer.run(config, 1000)
    assert [(one["id"], one["code"]) for one in peer.messages(PUSH + "_reply")] == [("1", 460), ("2", 460)]
    assert not peer.failures and not application.applied


def test_addresses(url, host, port, path):
    clear()
    files = Files(http(NEW))
    peer, application, config = made((200, offer(NEW, url)))
    config.get()
    assert files.asked[0][:2] == (host, port)
    name = host if port == 443 else "%s:%d" % (host, port)
    assert files.streams[0].written().startswith(("GET %s HTTP/1.1\r\nHost: %s\r\n" % (path, name)).encode())


def test_what_is_no_address_of_https(name, url):
    clear(OLD)
    files = Files(http(NEW))
    peer, application, config = made((200, offer(NEW, url)))
    assert raised(config.get).code == "download.url" and not files.asked and kept(config) == OLD


def test_answers_that_are_no_offer(name, data):
    clear(OLD)
    files = Files(http(NEW))
    peer, application, config = made((200, data))
    assert raised(config.get).code == "config.answer" and not files.asked and kept(config) == OLD
    peer.connect()
    peer.run(config, 59000)
    assert len(peer.sent) == 2 and peer.states[-1][1]["code"] == "config.answer" and not peer.failures


def test_downloads_that_fail(name, code, answer):
    clear(OLD)
    files = Files(answer)
    peer, application, config = made((200, offer(NEW)))
    assert raised(config.get).code == code
    assert not application.applied and kept(config) == OLD
    assert all([stream.closed for stream in files.streams])


def test_one_that_is_too_large_is_not_downloaded():
    clear()
    files = Files(http(NEW))
    peer, application, config = made((200, offer(NEW)))
    config.limit = len(NEW) - 1
    assert raised(config.get).code == "download.size" and len(files.streams[0].data) >= len(NEW)


def test_a_server_that_falls_silent_or_breaks_off_is_bounded():
    for end, code in ((SILENT, "timeout"), (RESET, "reset"), (CLOSED, "closed")):
        clear(OLD)
        peer, application, config = made((200, offer(NEW)))
        files = Files(http(NEW[:100], length=len(NEW)), end=end, wait=peer.skip)
        begin = peer.ms
        assert raised(config.get).code == code and kept(config) == OLD
        assert peer.ms - begin < 31000 and len(files.asked) == 1


def test_a_failure_is_tried_again_later_with_a_new_address():
    clear(OLD)
    files = Files(http(b"", "403 Forbidden"), http(b"", "403 Forbidden"), http(NEW))
    peer, application, config = made((200, offer(NEW)))
    peer.connect()
    peer.run(config, 59000)
    assert len(files.asked) == 1 and peer.states[-1][1]["code"] == "download.status"
    peer.run(config, 3000)
    assert len(files.asked) == 2
    peer.run(config, 110000)
    assert len(files.asked) == 2
    peer.run(config, 20000)
    assert len(files.asked) == 3 and kept(config) == NEW and config.pause == 60000


def test_what_the_application_refuses_is_not_kept_nor_tried_again():
    for problem in (ValueError("every"), KeyError("x"), OSError(5)):
        clear(OLD)
        files = Files(http(NEW))
        peer, application, config = made((200, offer(NEW)), problem)
        peer.connect()
        peer.run(config, 1000)
        assert peer.states[-1][1]["code"] == "config.refused" and peer.states[-1][1]["advice"]
        assert kept(config) == OLD
        peer.connect()
        peer.run(config, 200000)
        assert len(files.asked) == 1 and application.applied == [NEW]
        assert config.get() is False


def test_memory_for_one_tls_only():
    clear()
    files = Files(TlsError("x", "tls.memory"), http(NEW))
    peer, application, config = made((200, offer(NEW)))
    stopped = []
    peer.stop = lambda: stopped.append(True)
    assert config.get() is True and stopped == [True] and len(files.asked) == 2
