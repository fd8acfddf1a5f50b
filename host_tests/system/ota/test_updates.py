"""Updates on emulated boards: a release is written by the running one, tried, made good, and a bad one taken back."""

import json
import secrets

import pytest

from host_tests.support.fleet import MICROPYTHON, REGISTERED, mac_of, printed
from host_tests.support.packages import firmware_tree, key_files, signing_key
from tools.firmware import FOLDER
from tools.image import device_files, flash_image
from tools.ota import package
from tools.ota.manifest import Manifest

APPLICATION = """
import gc, json, os, sys
import aliot
from aliot.device import Device
from aliot.wifi import Wifi
import machine
NAME = "{name}"
print(json.dumps({{"app": "runs", "name": NAME, "tree": aliot.tree, "cause": machine.reset_cause()}}))
{above}
def main():
    {inside}
    device = Device({{}}, Wifi("boots", "password"))
    device.start()
    while not device.poll(50):
        pass
    device.poll(300)
    for package in sorted(os.listdir("/packages")):
        package = "/packages/" + package
        install(device, package)
        os.remove(package)
        machine.reset()
    print(json.dumps({{"app": "settled", "name": NAME}}))
    while True:
        device.poll(50)

def install(device, package):
    exec("\\n".join(["name_%d = 0" % number for number in range(64)]))  # the pool of names has grown before
    gc.collect()
    before = most = gc.mem_alloc()
    from aliot.ota.writer import Writer
    writer = Writer(device.product_key)
    with open(package, "rb") as file:
        while not writer.done:
            file.seek(writer.at)
            writer.write(file.read(512))
            device.poll()
            gc.collect()
            most = max(most, gc.mem_alloc())
    writer.close()
    writer.switch()
    print(json.dumps({{"app": "written", "grew": most - before}}))

aliot.run(main)
"""
NEEDLESS = ("id2", "gateway", "x509", "bootstrap", "thing")
POWER, RESET, WATCHDOG = 1, 2, 3  # causes of a reset
GROWTH = 12 * 1024  # bytes of heap, on the 64-bit interpreter


@pytest.fixture(scope="module")
def key(tmp_path_factory):
    return signing_key(tmp_path_factory.mktemp("ota"))


def packed(key, number, above="", inside=""):
    """The package of release `number`; `above` and `inside` its main() are what makes it bad."""
    files = firmware_tree(NEEDLESS)
    program = APPLICATION.format(name=f"release {number}", above=above, inside=inside)
    head = Manifest(f"{number}.0.0", number, 6, 1, "1.24", (REGISTERED,))
    return package.pack({**files, "main.py": program.encode()}, head).signed(key).encode()


@pytest.fixture
def updated(fleet, key):
    """`updated(*packages)`: a board whose application installs them, one after another."""

    def make(*packages):
        files = {f"/packages/{at}": data for at, data in enumerate(packages)} | key_files(key)
        program = APPLICATION.format(name="golden", above="", inside="")
        name = "240a" + secrets.token_hex(4)
        burned = fleet.identity("device", name, fleet.device(REGISTERED, name))
        return fleet.add(fleet.image(burned, program, files), REGISTERED, name, mac_of(name))

    return make


def runs(board):
    return [(line["name"], line["tree"], line["cause"]) for line in printed(board, "runs")]


@MICROPYTHON
def test_an_update_becomes_good_and_bad_ones_are_taken_back(updated, fleet, key):
    crashing = packed(key, 2, inside="raise ValueError('bad')")
    lacking = packed(key, 3, above="import not_there")
    board = updated(packed(key, 1), crashing, lacking)
    board.start(follow=True)
    board.wait_line("not_there", timeout=180)
    assert runs(board) == [
        ("golden", "", POWER),
        ("release 1", "/ota/a", RESET),  # on trial
        ("release 1", "/ota/a", RESET),  # good
        ("release 2", "/ota/b", RESET),
        ("release 1", "/ota/a", RESET),
        ("release 3", "/ota/b", RESET),
    ]
    seen = [(state["state"], state["release"]) for state in board.run.states if state["aliot"] == "update"]
    assert seen == [("trial", "1.0.0"), ("good", "1.0.0")]
    assert max(line["grew"] for line in printed(board, "written")) <= GROWTH
    informed = fleet.cloud.admin("GET", f"/messages?pk={REGISTERED}&dn={board.device_name}")
    topic = f"/ota/device/inform/{REGISTERED}/{board.device_name}"
    assert [json.loads(m["payload"])["params"] for m in informed if m["topic"] == topic] == [
        {"version": "1.0.0"}
    ]
    board.wait()
    board.start(
        cause=WATCHDOG, follow=True
    )  # a chip waits at its prompt until the watchdog of the trial bites
    board.wait_line("settled", timeout=120)
    assert runs(board) == [("release 1", "/ota/a", WATCHDOG)]
    board.power_off()


@MICROPYTHON
def test_a_module_that_a_release_lacks_is_never_the_golden_one_s(updated, fleet, key):
    board = updated(packed(key, 1, inside="import aliot.gateway"))
    board.start(follow=True)
    assert "aliot.gateway" in str(board.wait_for("error", timeout=120))
    board.wait_line('"golden"', timeout=120)
    assert [name for name, *_ in runs(board)] == ["golden", "release 1", "golden"]
    board.power_off()


@MICROPYTHON
def test_what_a_board_without_an_update_pays(board):
    """Bytes of boot.py's choice, source and .mpy together, and flash reads beside those of a boot without it."""
    tree = device_files.compile_tree()
    before = (FOLDER / "boot.py").read_text()
    begin, end = before.index("try:"), before.index("# An aliot")
    choice = before[begin:end] + "not tree and "
    assert len(choice) + len(tree["/aliot/ota/choice.mpy"]) <= 1024
    without = (before[:begin] + before[end:]).replace("not tree and ", "")
    program = 'import aliot\nprint(\'{"aliot":"here"}\')'
    bare = {path: data for path, data in tree.items() if "/ota/" not in path}
    reads = []
    for files in ({**tree}, {**bare, "/boot.py": without.encode()}):
        files["/main.py"] = program.encode()
        made = board(flash_image.build(files={**files, "/boot.py": files["/boot.py"]}))
        boot = made.boot(until="here")
        reads.append(boot.reads_at("here"))
    assert reads[0] - reads[1] <= 60, reads
