"""Serial numbers, association files and bindings over the admin API, and what is kept (x509.md 7)."""

import pytest

from host_tests.support.cloud.x509 import CA, PUSH, VECTORS, XDN, XDN2, XPK, Factory, client, first, pushed
from tools import serials
from tools.emulator.cloud.turns import in_turns
from tools.emulator.cloud.x509.association import Unusable

CSV = VECTORS["csv"]
HEADER = CSV["header"]


@pytest.mark.parametrize("one", VECTORS["serial_numbers"], ids=lambda one: one["normal"])
def test_the_normal_form_of_a_serial(one):
    assert serials.text(one["decimal"]) == one["normal"]
    for written in ("der_integer_bytes", "openssl_serial", "python_hex", "normal"):
        assert serials.normal(one[written]) == one["normal"]


@pytest.mark.parametrize("group", VECTORS["serial_equal_groups"])
def test_what_is_the_same_serial_however_it_is_written(factory, group):
    """Whichever form is uploaded, no other can be uploaded beside it."""
    factory.register()
    factory.associate((XPK, XDN, group[0]))
    (binding,) = factory.cloud.admin("GET", f"/cas/{CA}/bindings")
    assert binding["serial"] == serials.normal(group[-1])
    for written in group:
        answer = factory.associate((XPK, XDN2, written), status=409)
        assert "is bound to sensor-01 already" in answer["rows"][0]["error"]


@pytest.mark.parametrize(
    "written",
    ["", "0", "00:00", "0x", "xyz", "-1", "1.5E+19", "44409342144213933 (0x9dc6)", "1" * 41, "\u0661"],
)
def test_what_is_no_serial(written):
    with pytest.raises(ValueError):
        serials.normal(written)


# ---- association files


def test_the_vectors_file(factory):
    factory.register()
    assert factory.upload(f"{HEADER}\r\n{CSV['line_example']}\r\n", file="a.csv") == {"bound": 1}
    assert factory.cloud.admin("GET", f"/cas/{CA}/bindings") == [
        {
            "authority": CA,
            "serial": "9DC60FB736F3AD",
            "product_key": XPK,
            "device_name": XDN,
            "state": "active",
        }
    ]


@pytest.mark.parametrize(
    "text",
    [
        f"\ufeff{HEADER}\n{XPK},{XDN},A\n",
        f"{HEADER}\r{XPK},{XDN},A\r",
        f"{HEADER}\n\n{XPK} , {XDN}, A\n,,\n",
        f'"ProductKey","DeviceName","CertSN"\n"{XPK}","{XDN}","A"',
    ],
    ids=["byte order mark", "CR", "blanks and empty lines", "quotes"],
)
def test_files_as_other_programs_write_them(factory, text):
    factory.register()
    assert factory.upload(text) == {"bound": 1}


FILES = {
    "an empty file": ("", "the first line must be ProductKey,DeviceName,CertSN"),
    "no header": (f"{XPK},{XDN},A\n", "the first line must be"),
    "a header of other names": (f"ProductKey,DeviceName,SN\n{XPK},{XDN},A\n", "the first line must be"),
    "a header in another order": (f"DeviceName,ProductKey,CertSN\n{XDN},{XPK},A\n", "the first line must be"),
    "semicolons": (f"ProductKey;DeviceName;CertSN\n{XPK};{XDN};A\n", "the first line must be"),
    "no rows": (HEADER + "\r\n", "no rows"),
    "an unknown product": (f"{HEADER}\na1Nobody000,{XDN},A\n", "there is no product 'a1Nobody000'"),
    "a product with secrets": (f"{HEADER}\na1SecretPk0,{XDN},A\n", "authenticates by secret"),
    "a product with certificates of the platform": (
        f"{HEADER}\na1Platform0,{XDN},A\n",
        "authenticates by certificates of the platform",
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_each_check_of_a_file(factory, name):
    factory.register()
    text, expected = FILES[name]
    answer = factory.upload(text, 409)
    assert expected in answer["error"] and answer["rows"] == []
    assert factory.cloud.admin("GET", f"/cas/{CA}/bindings") == []


def test_all_bad_rows_are_told_and_none_is_applied(maker):
    with maker(extra=9) as factory:
        factory.register()
        factory.bind(0xB0, XDN2)
        good = [(XPK, f"more-{number:05}", f"{number + 1:X}") for number in range(9)]
        bad = {
            3: (("a1X509Other", XDN, "20"), "ProductKey 'a1X509Other' is another than in the first row"),
            5: ((XPK, "nobody", "21"), "there is no device 'nobody' in this product"),
            6: (
                (XPK, XDN, "1.2E+5"),
                "'1.2E+5' is a serial that a spreadsheet has rounded; take the file as it was written",
            ),
            7: ((XPK, XDN, "0"), "serial number zero is refused"),
            8: ((XPK, XDN, "b:0"), "CertSN B0 is bound to sensor-02 already"),
            9: ((XPK, XDN2, "01"), "CertSN 1 stands in line 2 already"),
            10: ((XPK, "more-00000", "22"), "DeviceName more-00000 stands in line 2 already"),
            11: ((XPK, XDN), "there are 2 fields, not 3"),
            12: ((XPK, XDN, "23", "x"), "there are 4 fields, not 3"),
        }
        rows = iter(good)
        written = [bad[line][0] if line in bad else next(rows) for line in range(2, 15)]
        answer = factory.associate(*written, status=409)
        assert answer["error"] == "9 of 13 rows are bad; none was applied"
        assert {row["line"]: row["error"] for row in answer["rows"]} == {
            line: text for line, (_, text) in bad.items()
        }
        assert len(factory.cloud.admin("GET", f"/cas/{CA}/bindings")) == 1
        assert factory.associate(*good) == {"bound": 9}
        assert len(factory.cloud.admin("GET", f"/cas/{CA}/bindings")) == 10


def test_ten_thousand_rows_and_not_one_more(maker):
    with maker() as factory:
        factory.register()
        names = [f"d-{number:05}" for number in range(10_001)]
        factory.cloud.admin("POST", f"/products/{XPK}/devices", {"device_names": names})
        rows = [f"{XPK},{name},{number + 1:X}" for number, name in enumerate(names)]
        answer = factory.upload("\r\n".join([HEADER, *rows]), 409)
        assert answer == {"error": "the file has 10001 rows, which is more than 10000", "rows": []}
        assert factory.upload("\r\n".join([HEADER, *rows[:10_000]])) == {"bound": 10_000}


def test_a_serial_is_unique_in_the_account_by_a_switch(maker):
    for choice, status in (("ca", 200), ("account", 409)):
        with maker(switches={"x509_serial_unique": choice}) as factory:
            other = Factory(factory.cloud, factory.folder, "Other_CA", key_name="stranger")
            if choice == "ca":
                factory.register()
                other.register()
                factory.bind(0xA)
            answer = other.upload(f"{HEADER}\n{XPK},{XDN2},{'A' if status == 409 else 'B'}\n", status)
            if status == 409:
                assert answer["rows"][0]["error"] == f"CertSN A is bound to {XDN} under CA {CA} already"


def states(factory):
    return {one["serial"]: one["state"] for one in factory.cloud.device(XDN, XPK)["certificates"]}


@pytest.mark.parametrize(
    "choice, left",
    [
        ("both", {"A": "active", "B": "active"}),
        ("replace", {"B": "active"}),
        ("refuse", {"A": "active"}),
    ],
)
def test_a_second_row_for_a_device(maker, choice, left):
    with maker(switches={"x509_second_serial": choice}) as factory:
        with client(factory.cloud, factory.ready(0xA)) as device:
            device.online(first())
            device.read()
            answer = factory.associate((XPK, XDN, "B"), status=409 if choice == "refuse" else 200)
            if choice == "replace":
                assert device.closed() == "goodbye"
            else:
                device.nothing()
        assert states(factory) == left
        if choice == "refuse":
            assert "has the certificate A already" in answer["rows"][0]["error"]


def test_replacing_a_binding(factory):
    factory.ready(0xA)
    factory.bind(0xB, XDN2)
    path = f"/cas/{CA}/bindings/A/replace"
    for taken in ("a", "B"):
        assert "is bound to" in factory.cloud.admin("POST", path, {"serial": taken}, 409)["error"]
    assert factory.cloud.admin("POST", path, {"serial": "c"})["serial"] == "C"
    assert states(factory) == {"C": "active"}
    factory.cloud.admin("POST", f"/devices/{XPK}/{XDN}/delete")
    for action, body in (("replace", {"serial": "D"}), ("enable", None)):
        answer = factory.cloud.admin("POST", f"/cas/{CA}/bindings/C/{action}", body, 409)
        assert answer["error"] == f"device {XDN} was deleted"


def test_products_say_how_they_authenticate(factory):
    shown = {one["product_key"]: one for one in factory.cloud.admin("GET", "/products")}
    assert shown[XPK]["auth"] == "x509"
    answer = factory.cloud.admin("POST", f"/products/{XPK}/dynamic_registration", {"enabled": True}, 409)
    assert answer["error"] == f"product {XPK} authenticates by x509"


# ---- what is kept


def test_everything_outlives_the_cloud(maker):
    with maker() as factory:
        pair, other = factory.ready(), Factory(factory.cloud, factory.folder, "Other_CA", key_name="stranger")
        other.register()
        other.bind(0xA, XDN2)
        factory.bind(0xB, XDN2)
        factory.cloud.admin("POST", f"/cas/{CA}/bindings/B/disable")
        factory.cloud.admin("POST", "/cas/Other_CA/deactivate")
        asked = ["/cas", f"/cas/{CA}/bindings", "/cas/Other_CA/bindings", "/registration_code"]
        before = [factory.cloud.admin("GET", path) for path in asked]
    with maker() as factory:
        assert [factory.cloud.admin("GET", path) for path in asked] == before
        with client(factory.cloud, pair) as device:
            device.online(first())
            assert pushed(device.read()) == PUSH["payload"]
        assert "is registered already" in factory.register(409, name="Third_CA")["error"]
        factory.cloud.admin("DELETE", "/cas/Other_CA")
        factory.cloud.admin("POST", f"/devices/{XPK}/{XDN}/delete")
    with maker() as factory:
        assert [one["name"] for one in factory.cloud.admin("GET", "/cas")] == [CA]
        assert factory.cloud.instance.certificates.of((XPK, XDN2))[0].state == "disabled"
        factory.cloud.admin("POST", f"/products/{XPK}/devices", {"device_names": [XDN]})
        with client(factory.cloud, pair) as device:
            assert device.login(first()) == 5


# ---- while a long file is taken in, others have their turn


@pytest.mark.parametrize(
    "happens, reason, left",
    [
        ("remove", f"line 27: CA {CA} was removed meanwhile", 0),
        ("delete", "device more-00030 was deleted", 25),
    ],
)
def test_what_becomes_bad_meanwhile_is_not_bound(maker, happens, reason, left):
    with maker(extra=60) as factory:
        factory.register()
        instance = factory.cloud.instance
        rows = [f"{XPK},more-{number:05},{number + 1:X}" for number in range(60)]

        async def take_in():
            certificates = instance.certificates
            authority = certificates.authorities[CA]
            steps = certificates.associate(authority, "\n".join([HEADER, *rows]))
            while not certificates.bindings:
                next(steps)
            if happens == "remove":
                await in_turns(certificates.remove(authority))
            else:
                instance.delete(instance.registry.find(XPK, "more-00030"))
            with pytest.raises(Unusable, match=reason):
                await in_turns(steps)
            return len(certificates.bindings)

        assert factory.cloud.call(take_in()) == left
