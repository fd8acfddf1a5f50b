"""Updates on both interpreters: lives, refusals, power cuts at every flash operation, random sequences."""

import random
from dataclasses import replace

import pytest

from host_tests.support.packages import HEAD, asking, firmware_tree, release, signing_key, tree
from host_tests.support.paths import ROOT
from tools.firmware import advice
from tools.ota import package

# of which other tests have the cases
OTHERS = [f"update.{name}" for name in ("keyless", "older", "version", "tried", "trial", "flash")]
pytestmark = pytest.mark.usefixtures("any_tree")
CASE = ROOT / "host_tests/firmware/thing/ota_cuts.py"
ask = asking(CASE)
ask_roomy = asking(CASE, ["micropython"], "48M")
SEQUENCES = {"cpython": 10, "micropython": 50}
THREE = "one", "second", "third_one"


def signed(key, head=HEAD, files=None):
    return package.pack(files or tree("app"), head).signed(key)


@pytest.fixture(scope="module")
def three(key, any_tree):
    return [release(key, number, tree(name)) for number, name in enumerate(THREE, 1)]


@pytest.fixture(scope="module")
def any_order(key, any_tree):
    return [
        release(key, number, tree(name, 500 * number), rollback=True) for number, name in enumerate(THREE, 1)
    ]


def test_a_life_of_updates(ask, three):
    ask("life", three)


def test_a_trial_starts_three_times_and_power_does_not_count(ask, three):
    ask("starts", three)


def test_the_good_release_before_runs_when_the_good_one_is_gone(ask, three):
    ask("fallbacks", three)


def test_what_fails_a_trial_and_what_waits(ask, three):
    ask("outcomes", three)


def test_the_tenth_update_needs_no_more_room_than_the_second(ask, any_order):
    ask("rooms", any_order, turns=10)


def test_after_a_cut_only_the_rest_is_taken(ask, three):
    ask("resumed", three, first=800)


def test_a_lower_number_is_refused_unless_rollback_is_meant(ask, key):
    lower = release(key, 4, tree("three"), rollback=True)
    ask("older", [release(key, 3, tree("one")), release(key, 5, tree("two")), lower])


def test_media_that_take_nothing_and_a_trial_refuse(ask, three):
    ask("read_only", three)


def test_each_package_that_must_not_be_taken_is_refused_in_its_own_words(ask, key, three, tmp_path):
    good = signed(key)
    data = good.encode()
    other = signing_key(tmp_path)
    first = good.manifest.files[0].size
    reordered = replace(good, contents=good.contents[first:] + good.contents[:first]).encode()
    of = {
        "update.cut": [data[:10], data[:100], data[:400], data[:-1]],
        "update.key": [signed(other).encode()],
        "update.signature": [
            data.replace(b"number 1\n", b"number 2\n"),
            replace(good, signature=bytes(256)).encode(),
            replace(signed(other), key=good.key).encode(),
            package.pack(tree("app"), HEAD).encode()[:12] + bytes.fromhex(good.key) + data[20:],
        ],
        "update.changed": [data[:-1] + b"x", reordered],
        "update.product": [signed(key, replace(HEAD, products=("a1Another00",))).encode()],
        "update.board": [signed(key, replace(HEAD, board="ESP32C3")).encode()],
        "update.mpy": [
            signed(key, replace(HEAD, mpy=5)).encode(),
            signed(key, replace(HEAD, mpy=7)).encode(),
        ],
        "update.least": [signed(key, replace(HEAD, least="9.0")).encode()],
        "update.store": [signed(key, replace(HEAD, store=2)).encode()],
        "update.room": [signed(key, HEAD, tree("app", 200_000)).encode()],
        "update.form": [b"x" * 40, data.replace(b"ALOT\x01", b"ALOT\x02"), data + b"x"],
    }
    assert all(advice.advice(code) for code in (*of, *OTHERS))
    ask("refused", three, cases=[(code, one.hex()) for code, found in of.items() for one in found])


def test_a_board_without_a_key_takes_nothing(ask, key, three):
    ask("refused", three, key=None, cases=[("update.keyless", signed(key).encode().hex())], then=False)


def test_power_at_every_flash_operation_of_a_life(ask, three):
    ask("every_operation", three, again=7)


def test_random_sequences_of_updates_crashes_cuts_and_cables(ask, any_order, campaign, tally, request):
    draw = random.SystemRandom()
    for _ in range(campaign(SEQUENCES[request.node.callspec.params["ask"]])):
        ask("sequence", any_order, seed=draw.randrange(2**30), count=12)
        tally("random sequences of updates")


def test_a_release_of_full_size_that_is_cut_again_and_again(ask_roomy, key, campaign, tally):
    full = [
        release(key, number, {**firmware_tree(), "main.py": b"import %d\n" % number}) for number in (1, 2)
    ]
    draw = random.SystemRandom()
    for _ in range(campaign(0.4)):
        ask_roomy("full", full, seed=draw.randrange(2**30), blocks=384)
        tally("updates to a release of full size, cut at random", 2)
