"""The platform's updates on both interpreters: downloads with faults, refusals, power cuts."""

from contextlib import ExitStack

import pytest

from host_tests.firmware.test_ota import key, release, small
from host_tests.support.device_tests import INTERPRETERS, conversation
from host_tests.support.paths import ROOT
from tools.firmware import advice
from tools.image import updates

CASE = ROOT / "host_tests/firmware/services/ota_transport.py"
PRODUCT = "a1ThingPk01"
__all__ = ["key", "small"]


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


@pytest.fixture(scope="module")
def one(key):
    return [release(key, "one", 1, 5000, products=(PRODUCT,))]


HTTPS = {
    "none": [],
    "cuts": [0, 1, 40, 700, 1000, 2000],
    "expired": [["403 Forbidden", ""]],
    "redirect, then busy": [["302 Found", ""], ["503 Busy", ""]],
    "wrong length": [["206 Partial Content", "x", 7]],
    "a Range that is passed over": [1500, "whole"],
}


@pytest.mark.parametrize("faults", HTTPS.values(), ids=HTTPS)
def test_a_package_over_https_arrives_whatever_happens_to_connections(ask, one, faults):
    # of the file that was under way when a connection ended, what had come comes again
    again = sum(fault for fault in faults if isinstance(fault, int))
    ask("pushed", one, faults=faults, more=again)


BLOCKS = {
    "none": [],
    "silent": ["", "silent", "silent"],
    "spoiled": ["crc", "", "offset", "crc"],
    "twice": ["twice", "twice"],
    "refused, then the task anew": ["", "gone"],
}


@pytest.mark.parametrize("faults", BLOCKS.values(), ids=BLOCKS)
def test_a_package_in_blocks_arrives_whatever_happens_to_answers(ask, one, faults):
    ask("blocks", one, faults=faults)


REFUSED = {
    "task without a url": ("-1", "update.task", {"task": {"url": ""}}),
    "task without a digest": ("-1", "update.task", {"task": {"sign": "12"}}),
    "several files": ("-1", "update.task", {"task": {"files": [{}, {}]}}),
    "another release than the task's": ("-3", "update.version", {"task": {"version": "7.0.0"}}),
    "another digest": ("-3", "update.digest", {"task": {"sign": "00" * 32}}),
    "moved for ever": ("-2", "download.status", {"faults": [["302 Found", ""]] * 6}),
    "cut for ever": ("-2", "closed", {"faults": [0] * 6}),
}


@pytest.mark.parametrize("step, code, more", REFUSED.values(), ids=REFUSED)
def test_what_is_no_release_is_told_once_and_not_tried_again(ask, one, step, code, more):
    assert advice.advice(code)
    ask("ends", one, step=step, code=code, **more)


PACKAGES = {
    "wrong signature": ("-3", "update.signature", lambda data: data.replace(b"number 1\n", b"number 2\n")),
    "truncated": ("-3", "update.cut", lambda data: data[:-5]),
    "changed": ("-3", "update.changed", lambda data: data[:-1] + b"x"),
    "no package": ("-3", "update.form", lambda data: b"x" * 400),
    "bytes behind": ("-3", "update.form", lambda data: data + b"xx"),
}


@pytest.mark.parametrize("step, code, spoil", PACKAGES.values(), ids=PACKAGES)
def test_a_package_that_must_not_be_taken_is_told_with_its_step(ask, one, step, code, spoil):
    spoiled = {**one[0], "package": spoil(bytes.fromhex(one[0]["package"])).hex()}
    ask("ends", [spoiled], step=step, code=code)


MANIFESTS = {
    "another product's": ("-3", "update.product", {"products": ("a1Another00",)}),
    "wrong .mpy": ("-3", "update.mpy", {"mpy": 5}),
    "needs a newer MicroPython": ("-3", "update.least", {"least": "9.0"}),
    "too large": ("-4", "update.room", {"size": 200_000}),
}


@pytest.mark.parametrize("step, code, more", MANIFESTS.values(), ids=MANIFESTS)
def test_a_release_that_does_not_fit_is_told_with_its_step(ask, key, step, code, more):
    ask("ends", [release(key, "one", 1, **{"products": (PRODUCT,), **more})], step=step, code=code)


def test_the_application_says_when_and_hears_of_the_reset(ask, one):
    ask("not_now", one)


def test_a_trial_that_failed_is_told_and_only_a_new_task_tries_again(ask, one):
    ask("rolled_back", one)


def test_power_at_flash_operations_of_an_update_by_the_platform(ask, key):
    ask("power", [release(key, "one", 1, 2000, products=(PRODUCT,))], every=4)


def test_a_poll_takes_a_bounded_step(ask, key):
    """Counted: bytes of the network, writes and erases of flash, bytes read from it."""
    ask("steps", [release(key, "one", 1, 60_000, products=(PRODUCT,))], operations=60, reads=60_000)
