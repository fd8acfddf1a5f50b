"""Files of services with power cuts at each flash operation: host_tests/firmware/test_service_cuts.py asks."""

from aliot.services.config import RemoteConfig
from device_peer import DevicePeer
from https_files import Files, http, sign
from nor_flash import Flash
from upload_platform import Platform, content, made, write

NEW = b'{"every":60,"text":"' + b"x" * 3000 + b'"}'


def cuts(flash, action, check):
    """Do `action()`; then check() what a start finds after each cut of it, and at the end. How many cuts there were."""
    count = 0
    for _ in flash.cuts(action):
        check()
        count += 1
    check()
    return count


def config(value):
    """What is kept is the old configuration or the new one, whole; what is left is taken at the next connect."""
    flash = Flash(16)
    old = b"" if value["first"] else b'{"every":5}' + b" " * 700
    if old:
        with open("/remote.json", "wb") as file:
            file.write(old)
    offer = {
        "configSize": len(NEW),
        "sign": sign(NEW),
        "signMethod": "Sha256",
        "url": "https://files.example/a",
    }
    Files(http(NEW))

    def made():
        return RemoteConfig(DevicePeer(lambda topic, message: (200, offer)), lambda file: file.read())

    def kept():
        file = made().open()
        return file.read() if file else b""

    def check():
        found = kept()
        assert found in (old, NEW), (len(found), found[:20])
        assert made().get() == (found == old) and kept() == NEW

    assert cuts(flash, lambda: made().get(), check) > 10


def upload(value):
    """Wherever power goes while a file is sent: it arrives, whole, or nothing is under way and nothing has arrived."""
    data = content(700)
    flash = Flash(16)
    write(data)
    peer = Platform()
    held = []  # (what the platform has, the flash's operations by then)

    def begun():
        uploads, ends = made(peer)
        uploads.start("/log.txt")
        while not ends:
            uploads.poll(0)
            held.append((len(flash.log), dict(peer.open), dict(peer.files)))

    def check():
        again = Platform()
        now = checks[0]
        checks[0] += 1
        state = [one for one in held if one[0] <= now // 2] or [(0, {}, {})]
        again.open = {id: list(value) for id, value in state[-1][1].items()}
        uploads, ends = made(again)
        if not uploads.path:
            uploads.start("/log.txt")
        again.run(uploads, 5000)
        assert ends == [("log.txt", None)] and again.files["log.txt"] == data, (ends, again.blocks)

    checks = [0]
    assert cuts(flash, begun, check) > 10
