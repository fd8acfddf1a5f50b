"""Registering CAs over the admin API (x509.md 2, 3)."""

import base64

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from host_tests.support.cloud.x509 import (
    CA,
    CA_FALSE,
    CA_TRUE,
    Factory,
    certify,
    ec_key,
    key,
    pem,
    proof,
    root,
)


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
