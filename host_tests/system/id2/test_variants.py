"""Whatever the emulated server does, the client's reaction: id2.md 4, 7 and 10.3, or stricter (aliot/id2/README.md).

Both sides are written from the same page by different hands. Every answer that the cloud can be made to give is here.
"""

import secrets

import pytest

from host_tests.support import device_tests
from host_tests.support.id2 import BURNED, EMPTY, HEAP, TOKEN, Id2Fleet, id2_config
from host_tests.support.paths import DEVICE

CASES = DEVICE / "id2_link.py"
RECORDS = {
    "itls 20": "wrong_mac wrong_padding sequence uneven too_short plain",
    "itls 50": "huge version",
    "itls 10": "unknown_type",
}
# stage -> {outcome: what the server spoils}
SPOILED = {
    "provision": {
        "itls 50": "no_response empty_response short_response long_response key_type wrong_id wrong_key wrong_padding "
        "two_responses with_challenge unknown_extension",
        "itls 10": "twice",
    },
    "challenge": {
        "itls 50": "short_challenge long_challenge empty_challenge tilde_challenge binary_challenge no_challenge "
        "two_challenges unknown_extension with_provisioning provisioning cookie trailing",
        "itls 70": "version",
        "itls 10": "twice",
    },
    "server_hello": {
        "itls 40": "no_server_code wrong_server_code plain_id_server_code other_challenge_server_code no_premaster "
        "short_premaster long_premaster empty_premaster known_premaster premaster_padding premaster_key",
        "itls 50": "two_server_codes two_premasters compression other_fragment two_fragments long_session_id "
        "extensions_too_short extensions_too_long trailing",
        "itls 70": "version",
        "itls 80": "suite_not_offered",
        "accepted": "renegotiation_info unknown_extension session_ticket",
    },
    "finished": {
        **RECORDS,
        "itls 50": RECORDS["itls 50"] + " wrong_verify short_verify long_verify mirrored",
        "itls 20": RECORDS["itls 20"] + " change_cipher_spec",
        "itls 10": RECORDS["itls 10"] + " twice",
    },
    "record": {
        **RECORDS,
        "itls 50": RECORDS["itls 50"] + " oversize",
        "itls 20": RECORDS["itls 20"] + " repeated",
        "itls 10": RECORDS["itls 10"] + " hello_request",
    },
}
FRAMED = ("two_records", "one_byte_records", "warning_before")
ALERTS = ((40, 2, "itls.40"), (163, 2, "itls.163"), (173, 2, "itls.173"), (0, 1, "closed"))
# what the page leaves open, the other way round than by default
OTHERWISE = {
    "itls_suites": ["D003", "D001", "D002"],
    "itls_max_fragment": "omit",
    "itls_session_id": "none",
    "itls_extension_order": ["premaster", "server_code", "max_fragment"],
    "itls_version": "checked",
    "itls_key_group": "checked",
    "itls_early_alert": "encrypted",
    "id2_challenge": "printable",
    "id2_instance_id": "ignored",
}


@pytest.fixture(scope="module", params=["usual", "otherwise"])
def cloud_config(request):
    return id2_config(**(OTHERWISE if request.param == "otherwise" else {}))


@pytest.fixture(scope="module", params=device_tests.INTERPRETERS)
def link(request, cloud, tmp_path_factory):
    """link(stage, fault, expected): one connection, with that fault armed."""
    given = Id2Fleet(cloud, tmp_path_factory.mktemp("fleet")).identity()

    def link(stage, fault, expected, **more):
        value = {"port": cloud.ports["itls"], "expected": expected, **more}
        if stage == "provision":
            value |= {
                "product_key": EMPTY,
                "device_name": "empty-" + secrets.token_hex(6),
                "product_secret": TOKEN,
                "mac": secrets.token_hex(6).upper(),
            }
        else:
            value |= {"product_key": BURNED, "device_name": "unit-" + given["id2"], **given}
        if fault:
            cloud.arm({"where": "itls", "when": stage, **fault})
        failed = ask("link", value)
        assert failed is None, f"{stage} {fault}: {failed}"
        assert cloud.admin("GET", "/faults") == [], f"{stage} {fault} did not strike"

    with device_tests.conversation(CASES, request.param, heap=HEAP) as ask:
        link("challenge", None, "accepted")
        link("provision", None, "accepted")
        yield link


@pytest.mark.parametrize("stage", SPOILED)
def test_what_breaks_the_protocol_is_refused_with_its_alert(link, stage, tally):
    for expected, spoils in SPOILED[stage].items():
        for what in spoils.split():
            link(stage, {"kind": "spoil", "what": what}, expected)
            tally("iTLS variants")


def test_an_older_server_hello_is_refused(link):
    link("challenge", None, "accepted")
    link("server_hello", {"kind": "spoil", "what": "old"}, "itls 40")


def test_the_suites_of_the_2018_build_where_both_sides_have_them(link, cloud):
    there = "D001" in cloud.config_path.read_text()
    for suites in ("d002d001", "d002", "d001"):
        link("record", None, "accepted" if there else "itls.40", suites=suites)


@pytest.mark.parametrize("stage", SPOILED)
def test_a_right_answer_in_unusual_records_is_taken(link, stage):
    more = {"finished": ("long_padding",), "record": ("long_padding", "empty_before")}.get(stage, ())
    for what in FRAMED + more:
        link(stage, {"kind": "framing", "what": what}, "accepted")


@pytest.mark.parametrize("stage", SPOILED)
def test_an_alert_at_any_step_is_told_as_what_it_is(link, stage):
    for number, level, expected in ALERTS:
        link(stage, {"kind": "alert", "code": number, "level": level}, expected)


@pytest.mark.parametrize("stage", SPOILED)
def test_an_end_at_any_step_is_told_as_what_it_is(link, stage):
    for kind, expected in (("close", "closed"), ("reset", "reset")):
        link(stage, {"kind": kind}, expected)
    for size in (0, 4, 5, 6, 40):
        link(stage, {"kind": "cut", "bytes": size}, "closed")
