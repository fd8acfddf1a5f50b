"""The decision table of direct.md 9, row by row: registration over HTTPS."""

import pytest

from host_tests.support.cloud.client import DN, PK, connect_packet, form, login

HTTPS_ROWS = {
    "missing field": ({key: value for key, value in form().items() if key != "random"}, 460),
    "empty field": (form() | {"deviceName": ""}, 460),
    "surplus field": (form(surplus="1"), 460),
    "a field twice": ("&".join(f"{key}={value}" for key, value in form().items()) + "&random=r1", 460),
    "not a form": ("{}", 460),
    "nothing": ("", 460),
    "not UTF-8": ("productKey=%ff", 460),
    "unknown product": (form(pk="a1TESTpk002"), 6250),
    "unknown method": (form() | {"signMethod": "sha3"}, 6292),
    "wrong signature": (form(secret="x" * 16), 6600),
    "sign of another device": (form() | {"deviceName": "dev_0002"}, 6600),
    "unknown device": (form(dn="dev_0002"), 6100),
    "good": (form(), 200),
    "method by other case": (form(method="HmacMD5"), 200),
}


@pytest.mark.parametrize("status", [200, 401])
def test_https_answers(run, status):
    with run(switches={"https_status": status}) as cloud:
        for name, (fields, code) in HTTPS_ROWS.items():
            got = cloud.https(fields)
            assert (got[0], got[1]["code"]) == (200 if code == 200 else status, code), name
            assert set(got[1]) == ({"code", "data", "message"} if code == 200 else {"code", "message"})


def test_https_with_the_switch_off_and_active(run):
    with run(dynamic_registration=False, preregistration_free=False) as cloud:
        assert cloud.https(form())[1]["code"] == 6288
        cloud.admin("POST", f"/products/{PK}/dynamic_registration", {"enabled": True})
        assert login(cloud, connect_packet()) == 0
        assert cloud.https(form())[1]["code"] == 6289


@pytest.mark.parametrize("code", [6100, 6250])
def test_https_unknown_device(run, code):
    with run(switches={"https_unknown_device": code}) as cloud:
        assert cloud.https(form(dn="dev_0002"))[1]["code"] == code


@pytest.mark.parametrize("code", [6204, 6289])
def test_https_disabled_device(run, code):
    with run(switches={"https_disabled_device": code}) as cloud:
        cloud.admin("POST", f"/devices/{PK}/{DN}/disable")
        assert cloud.https(form())[1]["code"] == code


ORDER = ("parameters", "product", "switch", "method", "signature", "device", "active")

# everything is wrong at once, apart from what excludes something else: the code tells which check came first
ALL_WRONG = {"switch": 6288, "method": 6292, "signature": 6600, "device": 6100}


@pytest.mark.parametrize(
    "order",
    [ORDER, ORDER[::-1], ("device", "signature", "switch", "method", "product", "active", "parameters")],
)
def test_https_check_order(run, order):
    with run(
        switches={"https_order": list(order)}, dynamic_registration=False, preregistration_free=False
    ) as cloud:
        wrong_method = form(dn="dev_0002", secret="x" * 16) | {"signMethod": "sha3"}
        wrong_sign = form(dn="dev_0002", secret="x" * 16)
        assert (
            cloud.https(wrong_sign)[1]["code"]
            == ALL_WRONG[next(name for name in order if name in ("switch", "signature", "device"))]
        )
        assert (
            cloud.https(wrong_method)[1]["code"]
            == ALL_WRONG[next(name for name in order if name in ("switch", "method", "device"))]
        )
