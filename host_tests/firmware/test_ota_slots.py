"""Firmware and files on boards with two slots, on both interpreters: pairs, rollback, refusals, power cuts."""

from dataclasses import replace
from functools import partial

import pytest

from host_tests.support import packages
from host_tests.support.app_images import app_image
from host_tests.support.flashing import stock_bin
from host_tests.support.packages import asking, tree
from host_tests.support.paths import ROOT
from tools.firmware import advice
from tools.ota import manifest, package
from tools.ota.manifest import Manifest

HEAD = Manifest("1.0.0", 1, 6, 1, "1.24", ("a1OtaTests0",), "ESP32", firmware="v2")
SIZE = 5000  # bytes of an image's code: two sectors
BACK, POWER = 8, 9  # the bootloader took it back; that at a power-on
ask_board = asking(ROOT / "host_tests/firmware/thing/ota_slots.py")


@pytest.fixture(scope="module", autouse=True)
def small(any_tree):
    """Packages of three files, and pieces of an image of one sector."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(manifest, "PIECE", 4096)
        yield


@pytest.fixture(scope="module")
def releases(key, small):
    """What comes: firmware v2 and files, v3 and files, v4 alone, files alone twice; `pair`: what of both it brings."""
    rows = [("v2", "one"), ("v3", "second"), ("v4", ""), ("", "third_one"), ("", "fourth")]
    return [release(key, number, *row) for number, row in enumerate(rows, 1)]


@pytest.fixture(scope="module")
def ask(ask_board, releases):
    """`ask(function, **value)`: of a board that a cable brought firmware v1."""
    return partial(ask_board, releases=releases, firmware=app_image("v1", size=SIZE).hex())


def release(key, number, firmware, name):
    image = app_image(firmware, size=SIZE) if firmware else b""
    more = {"firmware": firmware, "release": f"{number}.0" if name else firmware}
    made = packages.release(key, number, tree(name) if name else {}, image, HEAD, **more)
    return {**made, "pair": [firmware, number - 1 if name else None]}


LIVES = [
    ("update 0, reset, good, reset, tidy, power", ("v2", 0), 0),
    ("update 0, reset", ("v2", 0), 0),  # on trial
    ("update 0, reset, reset", ("v1", "golden"), BACK),  # never said to be good
    ("update 0, reset, watchdog", ("v1", "golden"), BACK),
    ("update 0, reset, power", ("v1", "golden"), POWER),  # nobody's fault, but the bootloader's rule
    ("update 0, reset, bad, reset", ("v1", "golden"), 5),
    ("update 0, reset, refused, reset", ("v1", "golden"), 6),
    ("update 2, reset, good, reset, power", ("v4", "golden"), 0),  # firmware alone, with the files of a cable
    ("update 2, reset, reset", ("v1", "golden"), BACK),
    ("update 0, reset, good, reset, tidy, update 1, reset, good, reset", ("v3", 1), 0),
    ("update 0, reset, good, reset, tidy, update 1, reset, reset", ("v2", 0), BACK),
    ("update 0, reset, good, reset, tidy, update 2, reset, good, reset", ("v4", 0), 0),
    ("update 0, reset, good, reset, tidy, update 2, reset, bad, reset", ("v2", 0), 5),
    ("update 0, reset, good, reset, tidy, update 3, reset, good, reset", ("v2", 3), 0),
    (
        "update 0, reset, good, reset, tidy, update 3, reset, reset, reset",
        ("v2", 3),
        0,
    ),  # files: three starts
    ("update 0, reset, good, reset, tidy, update 3, reset, reset, reset, reset", ("v2", 0), 2),
    ("update 3, reset, good, reset, tidy", ("v1", 3), 0),  # a record without pairs
    ("update 3, reset, good, reset, tidy, update 2, reset, good, reset", ("v4", 3), 0),
    ("update 3, reset, good, reset, tidy, update 2, reset, reset", ("v1", 3), BACK),
]


def test_what_runs_is_always_a_pair(ask):
    ask("lives", lives=LIVES)


def test_a_trial_publishes_the_version_of_its_firmware(ask):
    v2, v4 = ({"version": name, "module": "firmware"} for name in ("v2", "v4"))
    ask("published", published=[(0, [v2, {"version": "1.0"}]), (2, [v4]), (3, [{"version": "4.0"}])])


def test_a_power_on_in_the_trial_of_a_firmware_is_told_and_not_held_against_it(ask):
    ask("powerless")


def test_firmware_without_a_version_in_its_header_has_micropython_s(ask):
    ask("unnamed", firmware=app_image("", size=SIZE).hex())


def test_an_image_that_must_not_be_taken_is_refused_by_name(ask, key):
    good = app_image("v9", size=SIZE)
    bare = bytearray(good)
    bare[0x20] ^= 1
    spoiled = bytearray(good)
    spoiled[-1] ^= 1
    undigested = bytearray(good)
    undigested[23] = 0
    merged = stock_bin("ESP32_GENERIC-OTA")[: 2 * 4096]
    of = [
        ("update.image", "no image of an application", b"MicroPython" * 400),
        ("update.image", "chip 5", app_image("v9", "esp32c3", SIZE)),
        ("update.image", "a merged image, or a bootloader", merged),
        ("update.image", "a merged image, or a bootloader", bytes(bare)),
        ("update.image", "without SHA-256", bytes(undigested)),
        ("update.image", "its slot 12288", app_image("v9", size=13000)),
        ("update.image", "-5379", bytes(spoiled)),
        ("update.image", "-5379", good[:4000]),
    ]
    head = replace(HEAD, release="9", number=9, firmware="v9")
    cases = [
        (code, detail, package.pack(tree("nine"), head, image).signed(key).encode().hex())
        for code, detail, image in of
    ]
    data = bytearray(package.pack(tree("nine"), head, good).signed(key).encode())
    data[-len(b"".join(tree("nine").values())) - 9] ^= 1
    cases.append(("update.changed", "the image", data.hex()))
    assert all(advice.advice(code) for code in ("update.image", "update.slots"))
    ask("refused", cases=cases)


def test_a_board_without_slots_takes_no_firmware(ask):
    ask("plain")


def test_after_a_cut_only_the_rest_is_taken(ask):
    ask("resumed", first=4096)


def test_what_is_written_over_is_named_by_no_record(ask):
    twice = "update 0, reset, good, reset, tidy, update 3, reset, good, reset, tidy"  # the tree before is of this slot
    ask("begun", begun=[("update 0, reset, good, reset, tidy", 2), (twice, 4)])


def test_a_worn_flash_is_seen_before_the_switch(ask):
    ask("worn")


def test_power_at_every_flash_operation_of_an_update_of_firmware_and_files(ask):
    steps = (
        "update 0, reset, good, reset, tidy, update 1, reset, reset, update 1, reset, good, reset, tidy, "
        "update 2, reset, good, reset"
    )
    ask("every_operation", steps=steps, again=9)
