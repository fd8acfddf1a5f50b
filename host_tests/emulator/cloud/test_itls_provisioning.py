"""Provisioning inside iTLS, and ten authentications a day: the checks of id2.md, each by its alert."""

import base64
import hashlib

import pytest

from host_tests.support.cloud import itls
from host_tests.support.cloud.itls import HANDSHAKE, ID2, KEY, PK, Device, message
from host_tests.support.cloud.itls_platform import challenged, greeted


def issued(platform, device=None, **request):
    device = device or Device(id2="F" * 48)
    answer = platform.connect().handshake(device.hello(itls.issue_request(**request)))
    return device, answer[5:]


@pytest.mark.parametrize("blank", ["F" * 24, "F" * 48, "F" * 31])
def test_a_device_without_identity_gets_one_and_connects_with_it(platform, blank):
    """As many F as it likes; on the same connection, and on a later one."""
    running = platform(identities=[])
    device, answer = issued(running, Device(id2=blank, suites=(0xD003,), fragment=None))
    id2, key = device.take_issue(answer)
    assert len(id2) == 24 and id2 == id2.upper() and len(key) == 32
    device.take_challenge(running.handshake(device.hello())[5:])
    device.take_server_hello(running.handshake(device.hello(device.code()))[5:])
    device.take_finished(running.handshake(device.finished())[5:])
    assert running.open(Device(id2, key)).session.identity.fingerprint == "240AC4000001"


@pytest.mark.parametrize(
    "secret, size",
    [
        ("i13" + "k" * 29, 64),
        ("x21-----QEFCQ0RFRkdISUpLTE1OTw==", 32),
        ("i23-----" + base64.b64encode(bytes(32)).decode(), 64),
        ("x12" + "k" * 29, 48),
    ],
)
def test_tokens_of_each_form(platform, secret, size):
    running = platform(identities=[], product_secret=secret)
    device, answer = issued(running, secret=secret, kind=int(secret[2]))
    id2, key = device.take_issue(answer)
    assert len(key) == size and running.open(Device(id2, key))


def report_of(*changes):
    request = bytearray(itls.issue_request())
    for at in changes:
        request[at] ^= 1
    return bytes(request)


@pytest.mark.parametrize(
    "request_, alert",
    [
        (itls.issue_request(secret="i11" + "z" * 29), 160),
        (itls.issue_request(kind=3), 178),
        (itls.issue_request(kind=9), 178),
        (itls.issue_request(fingerprint=b""), 174),
        (itls.issue_request(fingerprint=b"x" * 129), 174),
        (itls.issue_request(fingerprint=b"\x00bad"), 174),
        (itls.issue_request(fingerprint=b"\xff" * 12), 174),
        (b"", 160),
        (b"\0" * 84, 160),
        (report_of(0), 160),
        (report_of(4), 160),
        (report_of(36), 160),
        (report_of(-1), 160),
        (itls.issue_request()[:-1], 160),
        (itls.issue_request()[:-16], 160),
        (itls.issue_request() + bytes(256), 160),
    ],
)
def test_a_provisioning_request_that_is_refused(platform, request_, alert):
    running = platform(identities=[], provisioning_quota=1)
    assert running.connect().refused(Device(id2="F" * 48).hello(request_)) == alert
    assert running.service.identities.licences[PK].left == 1 and not running.service.identities.by_id


def test_the_quota_is_used_up_once_a_device_and_stays_so(platform):
    running = platform(identities=[], provisioning_quota=2)
    for fingerprint in (b"one", b"two"):
        device, answer = issued(running, fingerprint=fingerprint)
        device.take_issue(answer)
    for _ in range(2):
        request = itls.issue_request(fingerprint=b"three")
        assert running.connect().refused(Device(id2="F" * 48).hello(request)) == 161
        running = platform(identities=[], provisioning_quota=2)
    assert {one.fingerprint for one in running.service.identities.by_id.values()} == {"one", "two"}


def test_the_same_fingerprint_again(platform):
    first = issued(platform(identities=[], provisioning_quota=1))
    given = first[0].take_issue(first[1])
    blank = Device(id2="F" * 48)
    assert platform(identities=[]).connect().refused(blank.hello(itls.issue_request())) == 175
    again = issued(platform({"id2_fingerprint_again": "same"}, identities=[]))
    assert again[0].take_issue(again[1]) == given
    running = platform({"id2_fingerprint_again": "fresh"}, identities=[])
    assert running.connect().refused(blank.hello(itls.issue_request())) == 161
    running.service.identities.licences[PK].left = 1
    fresh = issued(running)
    assert fresh[0].take_issue(fresh[1]) != given


def test_one_provisioning_a_connection(platform):
    running = platform(identities=[])
    _, answer = issued(running)
    assert running.refused(Device(id2="F" * 48).hello(itls.issue_request(fingerprint=b"other"))) == 10
    assert len(running.service.identities.by_id) == 1


# ---- ten a day


@pytest.mark.parametrize("alert", [161, 173, 160])
def test_the_eleventh_authentication_of_a_day(platform, alert):
    """The count survives a restart, and is one of Beijing's day."""
    switches = {"id2_authentications": alert}
    running, device = platform(switches), Device()
    for _ in range(10):
        running.prove(device)
    for _ in range(2):
        challenged(running, device)
        assert running.refused(device.hello(device.code())) == alert
        running = platform(switches)
    midnight = (running.now + 8 * 3600) // 86400 * 86400 + 86400 - 8 * 3600
    running.now = midnight - 1
    challenged(running, device)
    assert running.refused(device.hello(device.code())) == alert
    running.now = midnight
    for _ in range(10):
        running.prove(device)
    challenged(running, device)
    assert running.refused(device.hello(device.code())) == alert


def test_without_the_switch_there_is_no_such_limit_and_a_wrong_code_counts_nowhere(platform):
    running, device = platform(), Device()
    wrong = Device(key=KEY[::-1])
    for _ in range(3):
        challenged(running, wrong)
        assert running.refused(wrong.hello(wrong.code())) == 163
    for _ in range(11):
        running.prove(device)
    assert running.service.identities.by_id[ID2].today(running.now) == 11


def test_the_hash_of_nothing_is_never_a_transcript(platform):
    """A Finished over other messages than those that went to and fro is refused."""
    running = platform()
    for make in (
        lambda device: device.verify(b"client", b""),
        lambda device: device.verify(b"client", device.sent),
        lambda device: device.verify(b"server", device.sent, device.server_hello),
        lambda device: hashlib.sha256(device.master).digest()[:12],
    ):
        device = Device()
        greeted(running, device)
        assert running.refused(device.writing.seal(HANDSHAKE, message(20, make(device)))) == 50
