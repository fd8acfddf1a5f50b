"""The platform's updates on both interpreters: downloads with faults, refusals, power cuts."""

import hashlib

import pytest

from host_tests.support import packages
from host_tests.support.packages import asking, tree
from host_tests.support.paths import ROOT
from tools.firmware import advice

ask = asking(ROOT / "host_tests/firmware/services/ota_transport.py")
pytestmark = pytest.mark.usefixtures("any_tree")


def release(key, size, **more):
    """A release for the product of the board."""
    return packages.release(key, 1, tree("one", size), **{"products": ("a1ThingPk01",), **more})


@pytest.fixture(scope="module")
def one(key, any_tree):
    return [release(key, 5000)]


HTTPS = {
    "none": [],
    "cuts": [0, 1, 40, 700, 1000, 2000],
    "expired": [["403 Forbidden", ""]],
    "redirect, then busy": [["302 Found", ""], ["503 Busy", ""]],
    "wrong length": [["206 Partial Content", "x", 7]],
    "a Range that is passed over": [1500, "whole"],
    "a clock that is set meanwhile": [{"certificate": "certificate.clock"}],
}


@pytest.mark.parametrize("faults", HTTPS.values(), ids=HTTPS)
def test_a_package_over_https_arrives_whatever_happens_to_connections(ask, one, faults):
    # of the file that was under way when a connection ended, what had come comes again
    again = sum(fault for fault in faults if isinstance(fault, int))
    ask("pushed", one, faults=faults, more=again)


def test_a_task_in_the_form_of_several_files_that_has_one(ask, one):
    data = bytes.fromhex(one[0]["package"])
    file = {"fileName": "app.bin", "fileSize": len(data), "fileSign": hashlib.sha256(data).hexdigest()}
    file["fileUrl"] = "https://files.example/app.bin?a=1"
    ask("pushed", one, task={"files": [file], "size": None, "sign": None, "url": None})


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
    "clock wrong": ("-2", "certificate.future", {"faults": [{"certificate": "certificate.future"}] * 6}),
    "read-only media": ("-4", "update.flash", {"read_only": True}),
}


@pytest.mark.parametrize("step, code, more", REFUSED.values(), ids=REFUSED)
def test_what_is_no_release_is_told_once_and_not_tried_again(ask, one, step, code, more):
    assert advice.advice(code)
    ask("ends", one, step=step, code=code, **more)


PACKAGES = {
    "wrong signature": ("-3", "update.signature", lambda data: data.replace(b"number 1\n", b"number 2\n")),
    "wrong key": ("-3", "update.key", lambda data: data[:12] + b"anothers" + data[20:]),
    "truncated": ("-3", "update.cut", lambda data: data[:-5]),
    "reordered": ("-3", "update.changed", lambda data: data[:-60] + data[-30:] + data[-60:-30]),
    "changed": ("-3", "update.changed", lambda data: data[:-1] + b"x"),
    "no package": ("-3", "update.form", lambda data: b"x" * 400),
    "bytes behind": ("-3", "update.form", lambda data: data + b"xx"),
}


@pytest.mark.parametrize("step, code, spoil", PACKAGES.values(), ids=PACKAGES)
def test_a_package_that_must_not_be_taken_is_told_with_its_step(ask, one, step, code, spoil):
    assert advice.advice(code)
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
    assert advice.advice(code)
    ask("ends", [release(key, **{"size": 900, **more})], step=step, code=code)


def test_an_update_holds_nothing_while_the_device_has_to_connect(ask, one):
    ask("lost", one)


def test_a_download_has_the_tls_context_of_the_connection(ask, one):
    ask("shared", one)


def test_the_application_says_when_and_hears_of_the_reset(ask, one):
    ask("not_now", one)


def test_a_trial_that_failed_is_told_and_only_a_new_task_tries_again(ask, one):
    ask("rolled_back", one)


def test_a_new_task_tries_again_whichever_way_it_comes(ask, one):
    ask("new_task", one)


def test_power_at_flash_operations_of_an_update_by_the_platform(ask, key):
    ask("power", [release(key, 2000)], every=4)


def test_a_poll_takes_a_bounded_step(ask, key):
    """Counted: bytes of the network, writes and erases of flash, bytes read from it."""
    ask("steps", [release(key, 60_000)], operations=60, reads=60_000)
