"""Registering CAs, association files and bindings over the admin API (x509.md 2, 3, 7), and what is kept."""

import base64

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from host_tests.support.cloud.x509 import (
    CA,
    CA_FALSE,
    CA_TRUE,
    PUSH,
    VECTORS,
    XDN,
    XDN2,
    XPK,
    Factory,
    certify,
    client,
    ec_key,
    first,
    key,
    pem,
    proof,
    pushed,
    root,
)
from tools import serials

CSV = VECTORS["csv"]
HEADER = CSV["header"]


# ---- the registration code


def test_the_code_is_64_hex_digits_and_stays_until_it_is_used_up(factory):
    code = factory.cloud.admin("GET", "/registration_code")["code"]
    assert len(code) == 64 and set(code) <= set("0123456789abcdef")
    factory.register(409, name="x")
    assert factory.cloud.admin("GET", "/registration_code")["code"] == code
    factory.register()
    assert factory.cloud.admin("GET", "/registration_code")["code"] != code


def test_a_code_that_was_used_registers_nothing_more(factory):
    request = factory.request()
    factory.cloud.admin("POST", "/cas", request)
    other = root("Other", "stranger")
    answer = factory.register(
        409,
        name="Other_CA",
        certificate=pem(other),
        verification=pem(proof(reading_name(request), other, "stranger")),
    )
    assert answer["check"] == "verification" and "registration code" in answer["error"]


def reading_name(request):
    """The code in the verification certificate of a request."""
    from tools.emulator.cloud.x509 import reading

    (name,) = reading.common_names(reading.certificate(request["verification"].encode()))
    return name


def test_a_code_ages_by_a_figure(maker):
    with maker(timing={"registration_code_seconds": 60}) as factory:
        clock = factory.cloud.instance.wall
        request = factory.request()
        factory.cloud.instance.wall = lambda: clock() + 61
        answer = factory.cloud.admin("POST", "/cas", request, 409)
        assert answer["check"] == "verification"
        factory.register()


# ---- registering a CA


def test_a_ca_is_kept_with_its_serial_subject_and_a_date(factory):
    before = factory.cloud.instance.wall()
    shown = factory.register()
    assert (shown["name"], shown["serial"], shown["subject"], shown["active"]) == (
        CA,
        "7B2F90",
        f"CN={CA}",
        True,
    )
    assert before <= shown["registered_at"] <= shown["not_after"]
    assert factory.cloud.admin("GET", "/cas") == [shown]


@pytest.mark.parametrize(
    "form",
    [
        lambda found: pem(found),
        lambda found: base64.b64encode(found.public_bytes(Encoding.DER)).decode(),
        lambda found: base64.b64encode(pem(found).encode()).decode(),
        lambda found: "subject=/CN=x\n" + pem(found).replace("\n", "\r\n"),
    ],
    ids=["PEM", "DER", "PEM in base64", "PEM with text and CR LF"],
)
def test_certificates_in_all_forms(factory, form):
    factory.register(certificate=form(factory.root))


@pytest.mark.parametrize("name", ["abcd", "A_1_", "x" * 30])
def test_names_that_are_taken(factory, name):
    assert factory.register(name=name)["name"] == name


def test_chinese_names_by_a_switch(maker):
    with maker(switches={"x509_ca_name": "chinese"}) as factory:
        assert factory.register(name="工厂证书_1")["name"] == "工厂证书_1"
        assert factory.cloud.admin("DELETE", "/cas/%E5%B7%A5%E5%8E%82%E8%AF%81%E4%B9%A6_1") == {
            "done": "remove"
        }


def not_ca(**fields):
    return pem(root(CA, **fields))


# name -> (changes of a good request by the factory, check that fails, part of the text)
CA_REFUSED = {
    "a name of 3 characters": (lambda f: {"name": "abc"}, "name", "4 to 30"),
    "a name of 31 characters": (lambda f: {"name": "x" * 31}, "name", "4 to 30"),
    "a name with a hyphen": (lambda f: {"name": "Factory-CA"}, "name", "letters, digits and _"),
    "a Chinese name": (lambda f: {"name": "工厂证书"}, "name", "letters, digits and _"),
    "another file type": (lambda f: {"certificate_file": "ca.der"}, "CA", "ca.der is not a .cer, .crt or"),
    "no certificate": (lambda f: {"certificate": "hello"}, "CA", "neither PEM nor base64"),
    "text that is not base64": (lambda f: {"certificate": "h\u00e9"}, "CA", "neither PEM nor base64"),
    "an empty file": (lambda f: {"certificate": ""}, "CA", "is not a certificate"),
    "a key beside it": (
        lambda f: {"certificate": pem(f.root) + "-----BEGIN %s-----\n" % "PRIVATE KEY"},
        "CA",
        "2 PEM blocks",
    ),
    "two certificates": (lambda f: {"certificate": pem(f.root, f.root)}, "CA", "2 PEM blocks"),
    "a CSR": (
        lambda f: {"certificate": pem(f.root).replace("CERTIFICATE", "CERTIFICATE REQUEST")},
        "CA",
        "is not a certificate",
    ),
    "an EC key": (
        lambda f: {
            "certificate": pem(
                certify(CA, ec_key().public_key(), 1, issuer_key=ec_key(), extensions=(CA_TRUE,))
            )
        },
        "CA",
        "not RSA",
    ),
    "CA:FALSE": (lambda f: {"certificate": not_ca(extensions=(CA_FALSE,))}, "CA", "CA:TRUE"),
    "no basicConstraints": (lambda f: {"certificate": not_ca(extensions=())}, "CA", "CA:TRUE"),
    "a CA that has expired": (lambda f: {"certificate": not_ca(days=(-9, -1))}, "CA", "has expired"),
    "a CA that is not valid yet": (lambda f: {"certificate": not_ca(days=(1, 9))}, "CA", "not valid yet"),
    "another type of the second file": (
        lambda f: {"verification_file": "v.csv"},
        "verification",
        "v.csv is not",
    ),
    "no second certificate": (lambda f: {"verification": "AAAA"}, "verification", "is not a certificate"),
    "the CA as its own proof": (lambda f: {"verification": pem(f.root)}, "verification", "Common Name"),
}


@pytest.mark.parametrize("name", CA_REFUSED)
def test_each_check_of_a_registration(factory, name):
    changes, check, text = CA_REFUSED[name]
    answer = factory.register(409, **changes(factory))
    assert answer["check"] == check and text in answer["error"], answer
    assert factory.cloud.admin("GET", "/cas") == []
    factory.register()


def proofs(code, factory):
    """(verification certificate, part of the text) of every proof that proves nothing."""
    stranger = root("Stranger", "stranger")
    yield proof(code, stranger, "stranger"), "another issuer"
    yield proof(code, factory.root, "stranger"), "not signed with the key of this CA"
    yield proof(code[:-1], factory.root), "Common Name"
    yield proof(code.upper(), factory.root), "Common Name"
    yield proof("x", factory.root), "Common Name"
    yield proof(code, factory.root, days=(-9, -1)), "has expired"
    yield proof(code, factory.root, days=(1, 9)), "not valid yet"


def test_each_check_of_the_proof(factory):
    code = factory.cloud.admin("GET", "/registration_code")["code"]
    for made, text in proofs(code, factory):
        answer = factory.register(409, verification=pem(made))
        assert answer["check"] == "verification" and text in answer["error"], answer
    assert factory.cloud.admin("GET", "/registration_code")["code"] == code
    factory.register(verification=pem(proof(code, factory.root, algorithm=hashes.SHA256())))


def test_the_checks_come_in_their_order(maker):
    """Each request has every fault from its place on; the first in order answers."""
    with maker(limits={"authorities": 1}) as factory:
        factory.register()
        bad = {"name": CA, "certificate": not_ca(days=(-9, -1)), "verification": "AAAA"}
        assert factory.register(409, **bad)["check"] == "name"
        assert factory.register(409, **{**bad, "name": "Other_CA"})["check"] == "count"
    with maker() as factory:
        assert factory.register(409, **{**bad, "name": "Other_CA"})["check"] == "CA"
        again = factory.register(409, name="Other_CA", verification="AAAA")
        assert again["check"] == "registered" and again["error"] == (
            f"this CA is registered already, as {CA}"
        )
        assert (
            factory.register(
                409, name="Other_CA", certificate=pem(root("Other", "stranger")), verification="AAAA"
            )["check"]
            == "verification"
        )


def test_the_same_key_under_another_subject_is_another_ca(factory):
    factory.register()
    renewed = root(CA, serial=5)
    assert factory.register(409, name="Other_CA", certificate=pem(renewed))["check"] == "registered"
    other = Factory(factory.cloud, factory.folder, "Other_CA", root("Other", "ca"))
    other.register()


def test_ten_cas_and_no_eleventh(factory):
    for number in range(10):
        Factory(factory.cloud, factory.folder, f"CA_{number:02}").register()
    answer = Factory(factory.cloud, factory.folder, "CA_10").register(409)
    assert answer == {"check": "count", "error": "the account has 10 CAs, which is all it may have"}
    factory.cloud.admin("DELETE", "/cas/CA_03")
    Factory(factory.cloud, factory.folder, "CA_10").register()


def test_a_ca_that_does_not_sign_itself(maker):
    above = root("Above", "above", serial=1)
    below = certify(CA, key("ca").public_key(), 2, above, key("above"), extensions=(CA_TRUE,))
    with maker() as factory:
        Factory(factory.cloud, factory.folder, CA, below).register()
    with maker(switches={"x509_ca_self_signed": True}) as factory:
        factory.cloud.admin("DELETE", f"/cas/{CA}")
        answer = Factory(factory.cloud, factory.folder, CA, below).register(409)
        assert "not self-signed" in answer["error"]
        factory.register()


def test_another_region_has_no_private_cas(maker):
    with maker(region="us-east-1") as factory:
        assert factory.register(409)["check"] == "region"


BAD_REQUESTS = [
    ("GET", "/cas/Nobody/bindings", None, 404, "no CA Nobody"),
    ("POST", "/cas", {"name": "x"}, 400, "certificate must be a JSON str"),
    (
        "POST",
        "/cas",
        {"name": "x", "certificate": "", "verification": "", "key": ""},
        400,
        "key is not known",
    ),
    (
        "POST",
        "/cas",
        {"name": "x", "certificate": "", "verification": "", "certificate_file": 1},
        400,
        "certificate_file must be a JSON str",
    ),
    ("POST", f"/cas/{CA}/association", {"csv": 1}, 400, "csv must be a JSON str"),
    ("POST", f"/cas/{CA}/association", {"csv": "", "file": "a.xlsx"}, 400, "a.xlsx is not a .csv file"),
    ("POST", f"/cas/{CA}/bindings/xyz/disable", None, 400, "'xyz' is not hexadecimal"),
    ("POST", f"/cas/{CA}/bindings/00/disable", None, 400, "serial number zero is refused"),
    ("POST", f"/cas/{CA}/bindings/ab/disable", None, 404, "no certificate AB is bound"),
    ("POST", f"/cas/{CA}/bindings/1/replace", {"serial": ""}, 400, "the serial number is empty"),
]


@pytest.mark.parametrize("method, path, body, status, text", BAD_REQUESTS)
def test_requests_that_cannot_be(factory, method, path, body, status, text):
    factory.register()
    factory.bind(1)
    assert text in factory.cloud.admin(method, path, body, status)["error"]


# ---- serial numbers


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
