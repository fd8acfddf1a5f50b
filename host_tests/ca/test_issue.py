"""Issuing device certificates: what stands in them, and that ledger and files agree (x509.md 3 and 8)."""

import stat
import subprocess
import sys

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from host_tests.ca.conftest import DEVICE, PRODUCT
from tools import serials
from tools.ca import delivery, keys
from tools.ca.issue import finish, issue, issue_many
from tools.errors import UserError

DAY = 86400
DER = serialization.Encoding.DER


def request(key, name="whatever"):
    builder = x509.CertificateSigningRequestBuilder().subject_name(
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    )
    return builder.sign(key, hashes.SHA256())


def csr(key, form=serialization.Encoding.PEM):
    return request(key).public_bytes(form)


def test_profile_of_a_device_certificate(ca, pool, tick):
    """x509.md 8, recommended device profile."""
    ca.clock = tick
    issued = issue(ca, PRODUCT, DEVICE, key=pool[0])
    made = x509.load_der_x509_certificate(issued.certificate_der)
    assert made.version is x509.Version.v3
    assert made.signature_hash_algorithm.name == "sha256"
    assert [(part.oid, part.value) for part in made.subject] == [(NameOID.COMMON_NAME, DEVICE)]
    constraints = made.extensions.get_extension_for_class(x509.BasicConstraints)
    assert constraints.critical and not constraints.value.ca
    usage = made.extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.critical and usage.value.digital_signature and usage.value.key_encipherment
    assert not usage.value.key_cert_sign
    extended = made.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(extended) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    own = ca.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    assert made.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier == own
    made.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    assert made.not_valid_before_utc.timestamp() == int(tick.now) - DAY
    assert made.not_valid_after_utc.timestamp() == int(tick.now) + 3650 * DAY == issued.not_after
    assert serials.text(made.serial_number) == issued.serial == ca.ledger.newest(PRODUCT, DEVICE).serial
    made.verify_directly_issued_by(ca.certificate)


def test_sizes_that_a_board_has_room_for(ca, pool):
    """x509.md 8: certificate DER up to about 830 B (v3, profile above), key PKCS#1 DER about 1192 B."""
    issued = issue(ca, PRODUCT, "d" * 32, key=pool[0])
    assert len(issued.certificate_der) <= 900
    assert 1185 <= len(issued.key_der) <= 1195


def test_the_key_is_pkcs1(ca):
    """x509.md 8 and 9.2: PKCS#1; OpenSSL 3 would write PKCS#8, which MicroPython up to 1.23 refuses."""
    issued = issue(ca, PRODUCT, DEVICE)
    assert issued.key_pem.startswith(b"-----BEGIN RSA PRIVATE KEY-----\n")
    key = serialization.load_der_private_key(issued.key_der, None)
    assert (
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
        == issued.key_pem
    )
    made = x509.load_pem_x509_certificate(issued.certificate_pem)
    assert made.public_key() == key.public_key()


def test_a_key_never_shows_when_printed(ca, pool):
    issued = issue(ca, PRODUCT, DEVICE, key=pool[0])
    for shown in (repr(issued), str(issued), repr(pool[0]), repr(ca)):
        assert "key_der" not in shown and "private" not in shown
        secret = issued.key_der[-100:-90]
        assert secret.hex() not in shown and repr(secret)[2:-1] not in shown


@pytest.mark.parametrize("form", [serialization.Encoding.PEM, serialization.Encoding.DER])
def test_a_request_keeps_its_key_and_gets_our_name(ca, form):
    key = rsa.generate_private_key(65537, 2048)
    issued = issue(ca, PRODUCT, DEVICE, csr=csr(key, form))
    made = x509.load_der_x509_certificate(issued.certificate_der)
    assert made.public_key() == key.public_key()
    assert made.subject.rfc4514_string() == f"CN={DEVICE}"
    assert issued.key_der is None and issued.key_pem is None
    assert ca.ledger.newest(PRODUCT, DEVICE).key_origin == "csr"


def of_version_2(data):
    return data.replace(b"\x02\x01\x00", b"\x02\x01\x01", 1)


def spoiled(data):
    data = bytearray(data)
    data[-3] ^= 1
    return bytes(data)


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (lambda: csr(ec.generate_private_key(ec.SECP256R1())), "not RSA; the platform takes only RSA"),
        (lambda: csr(rsa.generate_private_key(65537, 1024)), "1024 bits"),
        (
            lambda: spoiled(csr(rsa.generate_private_key(65537, 2048), serialization.Encoding.DER)),
            "signature",
        ),
        (lambda: b"garbage", "not a certificate signing request"),
        (lambda: b"", "not a certificate signing request"),
        (
            lambda: of_version_2(csr(rsa.generate_private_key(65537, 2048), DER)),
            "not a certificate signing request",
        ),
        (lambda: csr(rsa.generate_private_key(65537, 2048))[:300], "not a certificate signing request"),
    ],
)
def test_requests_that_are_refused_draw_no_serial(ca, data, complaint):
    with pytest.raises(UserError, match=complaint):
        issue(ca, PRODUCT, DEVICE, csr=data())
    assert ca.ledger.counts() == {}


def test_a_request_with_the_key_of_another_device_is_refused(ca):
    data = csr(rsa.generate_private_key(65537, 2048))
    issue(ca, PRODUCT, DEVICE, csr=data)
    with pytest.raises(UserError, match="already the key of a1X509ProdK,sensor-01"):
        issue(ca, PRODUCT, "sensor-02", csr=data)


def test_a_request_with_the_key_of_the_ca_is_refused(ca):
    with pytest.raises(UserError, match="already the key of the ca certificate"):
        issue(ca, PRODUCT, DEVICE, csr=csr(ca._key))


@pytest.mark.parametrize(
    ("product", "device"), [("a1-x", DEVICE), ("", DEVICE), (PRODUCT, "abc"), (PRODUCT, "a b c")]
)
def test_names_that_the_platform_refuses_draw_no_serial(ca, pool, product, device):
    with pytest.raises(UserError):
        issue(ca, product, device, key=pool[0])
    assert ca.ledger.counts() == {}


@pytest.mark.parametrize("days", [0, -1, 100_000])
def test_lives_that_are_refused_draw_no_serial(ca, pool, days):
    with pytest.raises(UserError, match="days"):
        issue(ca, PRODUCT, DEVICE, key=pool[0], days=days)
    assert ca.ledger.counts() == {}


def test_nothing_is_issued_before_it_is_kept(ca, pool):
    def keep(issued):
        assert ca.ledger.find(issued.serial).state == "reserved"
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        issue(ca, PRODUCT, DEVICE, key=pool[0], keep=keep)
    assert ca.ledger.newest(PRODUCT, DEVICE) is None
    again = issue(ca, PRODUCT, DEVICE, key=pool[0])
    assert ca.ledger.counts() == {"void": 1, "issued": 1}
    assert ca.ledger.newest(PRODUCT, DEVICE).serial == again.serial


def test_a_line_killed_after_it_kept_the_pair_tells_the_ledger_later(ca, pool, monkeypatch):
    kept = []
    monkeypatch.setattr(ca.ledger, "finish", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        issue(ca, PRODUCT, DEVICE, key=pool[0], keep=kept.append)
    monkeypatch.undo()
    finish(ca, [kept[0].certificate_der])
    finish(ca, [kept[0].certificate_der])
    assert ca.ledger.newest(PRODUCT, DEVICE).serial == kept[0].serial


def test_a_device_twice_in_one_order_is_refused(ca, pool):
    with pytest.raises(UserError, match="twice"):
        list(issue_many(ca, [(PRODUCT, DEVICE), (PRODUCT, DEVICE)], iter(pool)))


def test_many_keys_come_from_several_processes():
    with keys.KeySource(7, workers=2) as source:
        made = list(source)
    assert len({key.public for key in made}) == 7
    for key in made:
        public = serialization.load_der_private_key(key.private, None).public_key()
        assert public == serialization.load_der_public_key(key.public)


def listing(folder):
    return sorted(path.name for path in folder.iterdir() if path.name != ".issuing")


class TestDelivery:
    def deliver(self, ca, out, key, device=DEVICE, **more):
        with delivery.open_folder(out, ca) as folder:
            issued = issue(ca, PRODUCT, device, key=key, keep=folder.stage, **more)
            folder.deliver(issued.stem, issued.serial)
            return issued

    def test_files_of_a_pair(self, ca, pool, tmp_path):
        """x509.md 3: [ProductKey]_[DeviceName]_[CA_SN].cer and .key, PEM; a key is its owner's only."""
        out = tmp_path / "out"
        issued = self.deliver(ca, out, pool[0])
        stem = f"{PRODUCT}_{DEVICE}_{ca.serial}"
        assert listing(out) == [f"{stem}.cer", f"{stem}.key"]
        assert (out / f"{stem}.cer").read_bytes() == issued.certificate_pem
        assert (out / f"{stem}.key").read_bytes() == issued.key_pem
        assert stat.S_IMODE((out / f"{stem}.key").stat().st_mode) == 0o600

    def test_nothing_is_ever_overwritten(self, ca, pool, tmp_path):
        self.deliver(ca, tmp_path, pool[0])
        before = {
            name: (tmp_path / name).read_bytes() for name in listing(tmp_path) if name.startswith(PRODUCT)
        }
        with pytest.raises(UserError, match="never overwritten"):
            self.deliver(ca, tmp_path, pool[1], renew=True)
        assert all((tmp_path / name).read_bytes() == data for name, data in before.items())

    def test_a_pair_that_could_not_get_its_name_is_not_lost(self, ca, pool, tmp_path):
        out = tmp_path / "out"
        out.mkdir()
        taken = out / f"{PRODUCT}_{DEVICE}_{ca.serial}.key"
        taken.write_text("something else")
        with pytest.raises(UserError, match="move it away and run this again"):
            self.deliver(ca, out, pool[0])
        taken.unlink()
        with delivery.open_folder(out, ca) as folder:
            assert folder.finished == 1
            assert folder.holds(ca.ledger.newest(PRODUCT, DEVICE))
        assert taken.read_bytes().startswith(b"-----BEGIN RSA PRIVATE KEY-----")

    def test_what_a_refused_issue_staged_is_removed_at_once(self, ca, pool, tmp_path):
        self.deliver(ca, tmp_path / "out", pool[0])
        with pytest.raises(UserError, match="a key of its own"):
            self.deliver(ca, tmp_path / "out", pool[0], "sensor-02")
        assert len(listing(tmp_path / "out")) == 2

    def test_staged_files_of_another_ca_are_left_alone(self, ca, tmp_path):
        staged = tmp_path / f".{PRODUCT}_{DEVICE}_7B2F90.1A2B.key"
        staged.write_text("another CA's business")
        with delivery.open_folder(tmp_path, ca):
            pass
        assert staged.exists()

    def test_two_runs_never_write_into_one_folder(self, ca, tmp_path):
        with delivery.open_folder(tmp_path, ca):
            with pytest.raises(UserError, match="another 'ca issue' writes into"):
                with delivery.open_folder(tmp_path, ca):
                    pass
        with delivery.open_folder(tmp_path, ca):
            pass

    def test_a_write_that_stops_in_the_middle_leaves_no_file(self, tmp_path):
        """A limit on the size of a file stands in for a full disk: the write stops in the middle."""
        out = tmp_path / "out"
        script = (
            "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (300, 300));"
            "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
            "from tools import files; files.write(sys.argv[1], b'x' * 1000, files.PRIVATE)"
        )
        out.mkdir()
        done = subprocess.run(
            [sys.executable, "-c", script, str(out / "a.key")], capture_output=True, text=True, timeout=60
        )
        assert "UserError: cannot write" in done.stderr and "File too large" in done.stderr
        assert list(out.iterdir()) == []
