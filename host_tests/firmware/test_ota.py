"""Updates on both interpreters: lives, refusals, power cuts at every flash operation, random sequences."""

import random
from contextlib import ExitStack
from dataclasses import replace

import pytest

from host_tests.ota.conftest import CHEAP, MPY, PASSPHRASE
from host_tests.support.device_tests import INTERPRETERS, conversation
from host_tests.support.paths import ROOT
from tools.firmware import advice
from tools.image import updates
from tools.ota import keys, manifest, package
from tools.ota.manifest import Manifest

# of which other tests have the cases
OTHERS = [f"update.{name}" for name in ("keyless", "older", "version", "tried", "trial", "flash")]
CASE = ROOT / "host_tests/firmware/thing/ota_cuts.py"
HEAD = Manifest("1.0.0", 1, 6, 1, "1.24", ("a1OtaTests0",), delete=("/old.bin",))


@pytest.fixture(scope="module", autouse=True)
def small():
    """Packages of three files, which is all that these boards need."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(manifest, "NEEDED", ())
        yield


@pytest.fixture(scope="module")
def key(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ota")
    keys.create(folder, PASSPHRASE, cost=CHEAP)
    return keys.unlock(folder, PASSPHRASE)


@pytest.fixture(scope="module", params=list(INTERPRETERS))
def ask(request, key):
    with ExitStack() as stack:
        asked = stack.enter_context(conversation(CASE, request.param, heap="4M"))

        def call(function, releases, **value):
            public = key.public_key()
            own = [updates.key_id(public), updates.modulus(public).hex()]
            failed = asked(function, {"key": own, "releases": releases, **value})
            assert failed is None, failed

        yield call


def tree(name, size=900):
    return {
        "main.py": f"import {name}\n".encode(),
        "aliot/__init__.mpy": MPY + name.encode() * (size // len(name)),
        "aliot/start.mpy": MPY + name.encode(),
    }


def signed(key, head=HEAD, files=None):
    return package.pack(files or tree("app"), head).signed(key)


def release(key, name, number, size=900, **more):
    """What the board is asked with: a package, and what has to run once it is there."""
    files = tree(name, size)
    made = signed(key, replace(HEAD, release=f"{number}.0.0", number=number, **more), files)
    return {
        "package": made.encode().hex(),
        "manifest": made.manifest.encode().hex(),
        "files": {path: data.hex() for path, data in files.items()},
    }


@pytest.fixture(scope="module")
def three(key):
    return [release(key, name, number) for number, name in enumerate(("one", "second", "third_one"), 1)]


@pytest.fixture(scope="module")
def any_order(key):
    names = "one", "second", "third_one"
    return [release(key, name, number, 500 * number, rollback=True) for number, name in enumerate(names, 1)]


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
    ask("older", [release(key, "one", 3), release(key, "two", 5), release(key, "three", 4, rollback=True)])


def test_media_that_take_nothing_and_a_trial_refuse(ask, three):
    ask("read_only", three)


def test_each_package_that_must_not_be_taken_is_refused_in_its_own_words(ask, key, three, tmp_path):
    good = signed(key)
    data = good.encode()
    keys.create(tmp_path, PASSPHRASE, cost=CHEAP)
    other = keys.unlock(tmp_path, PASSPHRASE)
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


@pytest.mark.parametrize("torn", [False, True], ids=["whole", "torn"])
def test_power_at_every_flash_operation_of_a_life(ask, three, torn):
    ask("every_operation", three, torn=torn, again=7)


def test_random_sequences_of_updates_and_cuts(ask, any_order, campaign, tally):
    draw = random.SystemRandom()
    for _ in range(campaign(30)):
        ask("sequence", any_order, seed=draw.randrange(2**30), count=12)
        tally("random sequences of updates")
