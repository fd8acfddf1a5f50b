"""Making a CA, its key at rest, the verification certificate (x509.md 2 and 8)."""

import os
import stat
from types import SimpleNamespace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from tools import certificates, passphrase, sealed_key
from tools.ca import authority
from tools.ca.authority import Authority
from tools.errors import UserError

SECRET = b"a passphrase for tests only"
CODE = "c7cdfde6" * 8
DAY = 86400


def create(folder, name="Factory_CA", cost=2**4, **more):
    return authority.create(folder, name, SECRET, cost=cost, **more)


def test_profile_of_a_ca(tmp_path, tick):
    """x509.md 8, recommended CA profile: v3, CA:TRUE, keyUsage critical, SKI, SHA-256, 10 years or more."""
    ca = create(tmp_path / "ca", organization="Example", country="CN", clock=tick).certificate
    assert ca.version is x509.Version.v3
    assert ca.signature_hash_algorithm.name == "sha256"
    constraints = ca.extensions.get_extension_for_class(x509.BasicConstraints)
    assert constraints.critical and constraints.value.ca
    usage = ca.extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.critical and usage.value.key_cert_sign and usage.value.crl_sign
    assert not usage.value.digital_signature
    ca.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    assert [part.value for part in ca.subject] == ["CN", "Example", "Factory_CA"]
    assert ca.issuer == ca.subject
    assert ca.not_valid_before_utc.timestamp() == int(tick.now) - DAY
    assert ca.not_valid_after_utc.timestamp() == int(tick.now) + authority.DAYS * DAY >= tick.now + 3650 * DAY


def test_a_new_ca_passes_its_own_check(made_once):
    from tools.ca.check import Checker

    report = Checker(authority.time.time(), name="Factory_CA").check(made_once / "ca.cer")
    assert (report.kind, report.findings) == ("ca", ())


@pytest.mark.parametrize("bits", [3072, 4096])
def test_larger_ca_keys(tmp_path, bits):
    assert create(tmp_path / "ca", bits=bits).certificate.public_key().key_size == bits


def test_the_key_is_encrypted_and_nobody_else_may_read_it(made_once, ca):
    sealed = (made_once / "ca.key").read_bytes()
    assert sealed.startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----")
    assert stat.S_IMODE((made_once / "ca.key").stat().st_mode) == 0o600
    assert stat.S_IMODE(made_once.stat().st_mode) == 0o700
    private = ca._key.private_numbers()
    for path in made_once.iterdir():
        data = path.read_bytes()
        for number in (private.p, private.q, private.d):
            assert number.to_bytes((number.bit_length() + 7) // 8, "big") not in data


def test_git_ignores_a_ca(made_once):
    assert (made_once / ".gitignore").read_text() == "*\n"


def test_a_sealed_key_costs_what_is_advised():
    assert sealed_key.COST * sealed_key.BLOCK * sealed_key.PARALLEL >= 2**14 * 8 * 5


def test_the_same_key_never_seals_to_the_same_bytes():
    key = rsa.generate_private_key(65537, 2048)
    assert sealed_key.seal(key, SECRET, 2**4) != sealed_key.seal(key, SECRET, 2**4)


def test_wrong_passphrase(folder):
    with pytest.raises(UserError, match="wrong passphrase") as refused:
        Authority(folder).unlock(b"not the passphrase")
    assert "not the passphrase" not in str(refused.value)
    assert refused.value.__cause__ is None and refused.value.__suppress_context__


def swap_key(folder, other):
    (folder / "ca.key").write_bytes((other / "ca.key").read_bytes())


def swap_ledger(folder, other):
    (folder / "ledger.db").write_bytes((other / "ledger.db").read_bytes())


def write(name, data):
    return lambda folder, other: (folder / name).write_bytes(data)


def remove(name):
    return lambda folder, other: (folder / name).unlink()


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (remove("ca.cer"), "no ca.cer in it"),
        (remove("ca.key"), "No such file"),
        (remove("ledger.db"), "must not issue without its ledger"),
        (write("ca.cer", b"garbage"), "not the certificate that 'ca init' made"),
        (write("ca.key", b"garbage"), "not an encrypted CA key"),
        (
            write(
                "ca.key",
                b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
            ),
            "damaged",
        ),
        (write("ledger.db", b""), "not a ledger of a CA"),
        (write("ledger.db", b"garbage" * 1000), "cannot be used"),
        (swap_key, "not the key of"),
        (swap_ledger, "belongs to another CA"),
    ],
)
def test_a_spoiled_folder_says_what_to_put_back(folder, tmp_path_factory, spoil, complaint, passphrase):
    other = tmp_path_factory.mktemp("other") / "ca"
    create(other)
    spoil(folder, other)
    with pytest.raises(UserError, match=complaint):
        Authority(folder).unlock(passphrase)


def test_a_ledger_of_a_later_version_is_not_touched(folder):
    import sqlite3

    with sqlite3.connect(folder / "ledger.db") as database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(UserError, match="later aliot"):
        Authority(folder)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"name": "abc"}, "4 to 30"),
        ({"name": "has space"}, "4 to 30"),
        ({"bits": 1024}, "2048, 3072 or 4096"),
        ({"days": 0}, "1 to 36500"),
        ({"country": "China"}, "two letters"),
        ({"clock": lambda: 946_684_800}, "clock says 2000-01-01"),
    ],
)
def test_a_ca_that_is_refused_leaves_nothing(tmp_path, change, complaint):
    with pytest.raises(UserError, match=complaint):
        create(tmp_path / "ca", **{"name": "Factory_CA", **change})
    assert list(tmp_path.iterdir()) == []


def test_a_ca_is_never_overwritten(folder):
    before = (folder / "ca.key").read_bytes()
    with pytest.raises(UserError, match="never overwritten"):
        create(folder)
    assert (folder / "ca.key").read_bytes() == before


def test_a_disk_that_fails_leaves_nothing(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "rename", full)
    with pytest.raises(UserError, match="No space left on device"):
        create(tmp_path / "ca")
    assert list(tmp_path.iterdir()) == []


def test_verification_certificate(ca, tick):
    """x509.md 2: Common Name = registration code, signed by the CA key; -sha512 -days 300 in the example."""
    ca.clock = tick
    proof = x509.load_der_x509_certificate(ca.verification(f" {CODE}\n"))
    assert proof.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == CODE
    assert proof.signature_hash_algorithm.name == "sha512"
    proof.verify_directly_issued_by(ca.certificate)
    assert proof.not_valid_after_utc.timestamp() == int(tick.now) + 300 * DAY
    assert not proof.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    row = ca.ledger.find(format(proof.serial_number, "X"))
    assert (row.kind, row.state) == ("verification", "issued")


@pytest.mark.parametrize("code", ["", "c7cdfde6****", "a" * 65, "with space", "coïd"])
def test_a_code_that_cannot_be_one(ca, code):
    with pytest.raises(UserError, match="registration code"):
        ca.verification(code)
    assert ca.ledger.rows(kind="verification", state="reserved") == []


def test_a_locked_ca_signs_nothing(folder):
    with pytest.raises(UserError, match="locked"):
        Authority(folder).verification(CODE)


@pytest.mark.parametrize(
    ("seconds", "complaint"),
    [(-30 * DAY, "not valid yet"), (authority.DAYS * DAY + 1, "ended on"), (-60 * 365 * DAY, "clock says")],
)
def test_a_ca_out_of_its_dates_signs_nothing(ca, tick, seconds, complaint):
    tick.now += seconds
    ca.clock = tick
    with pytest.raises(UserError, match=complaint):
        ca.verification(CODE)


def test_nothing_outlives_the_ca(ca, tick):
    tick.now += (authority.DAYS - 100) * DAY
    ca.clock = tick
    with pytest.raises(UserError, match="100 days would outlive|99 days left"):
        ca.verification(CODE, days=300)
    proof = certificates.certificate(ca.verification(CODE))
    assert proof.end == ca.not_after


def prompts(*answers):
    left = list(answers)
    return lambda _: left.pop(0)


class TestPassphrase:
    def test_from_a_file_its_first_line(self, tmp_path):
        path = tmp_path / "secret"
        path.write_text("pass phrase with spaces \r\nsecond line\n")
        path.chmod(0o600)
        assert (
            passphrase.read(path, environment={"ALIOT_CA_PASSPHRASE": "other"}) == b"pass phrase with spaces "
        )

    def test_a_file_that_others_may_read_is_warned_of(self, tmp_path):
        path = tmp_path / "secret"
        path.write_text("a passphrase\n")
        path.chmod(0o644)
        warnings = []
        assert passphrase.read(path, warn=warnings.append) == b"a passphrase"
        assert "chmod 600" in warnings[0]

    def test_what_is_no_file_of_its_own_is_not_warned_of(self):
        warnings = []
        with pytest.raises(UserError, match="the passphrase is empty"):
            passphrase.read("/dev/null", warn=warnings.append)
        assert not warnings

    def test_from_the_environment(self):
        assert passphrase.read(environment={"ALIOT_CA_PASSPHRASE": "abc"}) == b"abc"

    def test_typed_once_to_open_and_twice_for_a_new_one(self):
        assert passphrase.read(environment={}, prompt=prompts("x")) == b"x"
        assert (
            passphrase.read(new=True, environment={}, prompt=prompts("é" * 12, "é" * 12))
            == ("é" * 12).encode()
        )

    @pytest.mark.parametrize(
        ("given", "complaint"),
        [
            ({"environment": {"ALIOT_CA_PASSPHRASE": ""}}, "empty"),
            ({"environment": {"ALIOT_CA_PASSPHRASE": "eleven char"}}, "fewer than 12"),
            ({"environment": {}, "prompt": prompts("a" * 12, "b" * 12)}, "differ"),
            ({"file": "/nonexistent/secret"}, "cannot read"),
        ],
    )
    def test_refused_for_a_new_ca(self, given, complaint):
        with pytest.raises(UserError, match=complaint):
            passphrase.read(new=True, **given)

    def test_no_terminal_and_nothing_given(self, monkeypatch):
        monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: False))
        with pytest.raises(UserError, match="--passphrase-file FILE or set ALIOT_CA_PASSPHRASE"):
            passphrase.read(environment={})

    def test_no_verb_takes_it_as_an_argument(self, verb):
        for action in ("init", "verify", "issue"):
            shown = verb(action, "--help").out
            assert "--passphrase-file" in shown
            assert "--passphrase " not in shown


def test_a_byte_order_mark_is_no_part_of_a_passphrase(tmp_path):
    (tmp_path / "phrase").write_bytes(b"\xef\xbb\xbf" + SECRET + b"\r\n")
    (tmp_path / "phrase").chmod(0o600)
    assert passphrase.read(tmp_path / "phrase") == SECRET
