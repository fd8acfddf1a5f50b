"""CA certificates: the registration code, registering, association by CSV, what ends it."""

import re

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from host_tests.support.cloud.x509 import (
    XDN,
    XDN2,
    XPK,
    Factory,
    client,
    first,
    leaf,
    pem,
    proof,
    root,
    x509_settings,
)
from tools.emulator.cloud.x509.association import HEADER

CLOUD = x509_settings()
SERIAL, OTHER = 0x9DC60FB736F3AD, 0x9DC60FB736F3AE
NAME = "Factory_CA"
AT = f"/certificates/{NAME}"


@pytest.fixture
def factory(cloud, tmp_path):
    made = Factory(cloud, tmp_path)
    yield made
    for one in cloud.admin("GET", "/cas"):
        cloud.admin("DELETE", f"/cas/{one['name']}")


@pytest.fixture
def registered(factory):
    factory.register()
    return factory


def table(*rows):
    return "".join(",".join(one) + "\r\n" for one in (HEADER, *rows)).encode()


def upload(visitor, data, name="association.csv"):
    return visitor.post(AT + "/association", files={"csv": (name, data)})


# ---- registering


def test_the_registration_code_is_made_when_it_is_asked_for(cloud, visitor):
    page = visitor.get("/certificates")
    assert "Get the registration code" in page.text and not re.search(r"[0-9a-f]{64}", page.text)
    page = visitor.post("/certificates/code")
    assert cloud.admin("GET", "/registration_code")["code"] in page.text


def test_a_ca_is_registered_with_two_files(cloud, visitor, factory):
    visitor.post("/certificates/code")
    code = re.search(r"[0-9a-f]{64}", visitor.get("/certificates").text)[0]
    files = {
        "certificate": ("ca.crt", factory.root.public_bytes(Encoding.DER)),
        "verification": ("verify.pem", pem(proof(code, factory.root)).encode()),
    }
    page = visitor.post("/certificates", name=NAME, files=files)
    assert page.notices[0].startswith(f"CA {NAME} is registered.")
    assert "CN=Factory_CA" in page.text and "BEGIN CERTIFICATE" in page.text
    listed = visitor.get("/certificates")
    assert f"{NAME} Active CN=Factory_CA" in listed.text and code not in listed.text


def test_a_ca_is_registered_with_pasted_texts(visitor, factory):
    asked = factory.request()
    texts = {f"{field}_text": asked[field] for field in ("certificate", "verification")}
    page = visitor.post("/certificates", name=NAME, **texts)
    assert page.notices[0].startswith(f"CA {NAME} is registered.")


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"name": "no"}, "the name of a CA is 4 to 30"),
        ({"certificate_text": ""}, "Choose the CA certificate"),
        ({"certificate_text": "hello"}, "the CA file is neither PEM nor base64"),
        ({"verification_text": pem(root("Stranger", "stranger"))}, "names another issuer"),
    ],
)
def test_what_cannot_be_registered_comes_back_with_one_sentence(cloud, visitor, factory, changes, text):
    asked = factory.request()
    sent = {
        "name": NAME,
        "certificate_text": asked["certificate"],
        "verification_text": asked["verification"],
    }
    page = visitor.post("/certificates", **{**sent, **changes})
    assert len(page.notices) == 1 and text in page.notices[0]
    assert "BEGIN CERTIFICATE" in page.html and cloud.admin("GET", "/cas") == []


def test_a_file_with_another_ending_is_refused(visitor, factory):
    files = {"certificate": ("ca.txt", pem(factory.root).encode()), "verification": ("v.cer", b"x")}
    page = visitor.post("/certificates", name=NAME, files=files)
    assert page.notices == ["ca.txt is not a .cer, .crt or .pem file"]


# ---- the association


def test_the_template_has_the_header_that_the_upload_asks_for(visitor, registered):
    template = visitor.send(AT + "/template.csv").body
    assert template == b"ProductKey,DeviceName,CertSN\r\n"
    page = upload(visitor, template + f"{XPK},{XDN},{SERIAL:X}\r\n{XPK},{XDN2},{OTHER:X}\r\n".encode())
    assert page.notices == ["2 device certificates are associated."]
    assert f"{SERIAL:X} {XDN} {XPK} Active" in page.text


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "Choose a CSV file."),
        (b"\xff\xfe1", "The file is not text in UTF-8."),
        (b"SN\r\n1\r\n", "the first line must be ProductKey,DeviceName,CertSN"),
        (
            table((XPK, "nobody", "1"), (XPK, XDN, "zz")),
            "2 of 2 rows are bad; none was applied. Line 2: there is no device 'nobody' in this product. Line 3:",
        ),
        (
            table(*((XPK, f"nobody-{number}", "1") for number in range(9))),
            "Line 6: there is no device 'nobody-4'",
        ),
    ],
    ids=["none", "bytes", "header", "rows", "many"],
)
def test_an_association_that_is_wrong_says_which_rows(cloud, visitor, registered, data, text):
    page = upload(visitor, data)
    assert len(page.notices) == 1 and text in page.notices[0] and "Line 7" not in page.notices[0]
    assert cloud.admin("GET", f"/cas/{NAME}/bindings") == []


def test_bindings_are_searched_and_paged(cloud, visitor, registered):
    names = [f"many-{number:03}" for number in range(60)]
    cloud.admin("POST", f"/products/{XPK}/devices", {"device_names": names})
    upload(visitor, table(*((XPK, name, f"{number:X}") for number, name in enumerate(names, 0x1000))))
    assert "Device certificates 60" in visitor.get(AT).text
    assert "many-059" in visitor.get(AT, page=2).text
    page = visitor.get(AT, search="MANY-042")
    assert "many-042" in page.text and "many-041" not in page.text
    assert "60" in visitor.get("/certificates").text


# ---- what ends it


def test_a_device_connects_until_its_certificate_is_revoked_and_again_with_a_new_one(
    cloud, visitor, registered
):
    upload(visitor, table((XPK, XDN, f"{SERIAL:X}")))

    def login(serial):
        return login_code(cloud, registered.files(serial))

    assert login(SERIAL) == 0
    page = visitor.post(f"{AT}/bindings/{SERIAL:X}/revoke")
    assert page.notices == [f"Certificate {SERIAL:X} is revoked."] and "Revoked" in page.text
    assert login(SERIAL) == 5
    visitor.post(f"{AT}/bindings/{SERIAL:X}/restore")
    assert login(SERIAL) == 0
    page = visitor.post(f"{AT}/bindings/{SERIAL:X}/replace", serial=f"{OTHER:X}")
    assert page.notices == [f"{XDN} has the certificate {OTHER:X} now."]
    assert (login(SERIAL), login(OTHER)) == (5, 0)
    assert visitor.post(f"{AT}/bindings/{OTHER:X}/replace", serial="x").notices != []


def login_code(cloud, files):
    """The CONNACK code for a device with a certificate's files."""
    with client(cloud, files) as device:
        return device.login(first())


def test_a_ca_is_deactivated_activated_and_deleted(cloud, visitor, registered):
    assert "not active any more" in visitor.post(AT + "/deactivate").notices[0]
    assert "Not active" in visitor.get("/certificates").text
    assert visitor.post(AT + "/activate").notices == [f"CA {NAME} is active."]
    assert visitor.post(AT + "/delete").notices == [f"CA {NAME} is deleted."]
    assert cloud.admin("GET", "/cas") == [] and visitor.get(AT).status == 404


def test_the_leaf_of_a_stranger_is_nothing_here(cloud, visitor, registered):
    assert visitor.post(f"{AT}/bindings/{leaf(registered.root, 7).serial_number:X}/revoke").notices == [
        f"no certificate 7 is bound under CA {NAME}"
    ]
