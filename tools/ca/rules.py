"""What the console and the platform ask of a file (x509.md 2, 3 and 8), as tables; pure.

Each rule gives None or `Finding`s. `error`: the console would refuse the file
or the board could not use it; `warning`: it works, and is worth knowing.
"""

from dataclasses import dataclass

from cryptography.x509.oid import ExtendedKeyUsageOID

from tools.ca import association, devices, facts, names, serials
from tools.ca.profile import DAY, moment

ENDINGS = (".cer", ".crt", ".pem")
_WEAK = ("md5", "sha1")


@dataclass(frozen=True)
class Finding:
    level: str  # "error" or "warning"
    text: str


def error(text):
    return [Finding("error", text)]


def warning(text):
    return [Finding("warning", text)]


def days_left(end, now):
    """Whole days until `end` (Unix seconds), negative once it is over."""
    return int((end - now) // DAY)


def any_certificate(held, now):
    """What holds for every certificate: readable, RSA, a usable size, a serial, valid now, no weak hash."""
    found = [Finding("error", fault) for fault in held.faults]
    if held.public is not None:
        found += _key(held.rsa_bits)
    if held.serial is not None:
        found += _serial(held.serial)
    if held.start is not None and held.end is not None:
        found += _dates(held.start, held.end, now)
    if held.hash_name in _WEAK:
        found += warning(f"it is signed with {held.hash_name.upper()}, which is broken; SHA-256 is usual")
    if held.version == 1:
        found += warning("it is version 1; 'openssl x509 -req' needs -extfile to make version 3")
    return found


def _key(bits):
    if bits is None:
        return error("its key is not RSA; the platform takes only RSA")
    if bits < 2048:
        return error(f"its RSA key has {bits} bits; 2048 is the least that TLS libraries accept")
    if bits > 4096:
        return error(f"its RSA key has {bits} bits; take 2048, 3072 or 4096")
    if bits > 2048:
        return warning(
            f"its RSA key has {bits} bits; a board needs more memory and time for it than for 2048"
        )
    return []


def _serial(number):
    if number <= 0:
        return error("its serial number is not above zero")
    if number.bit_length() > 8 * serials.LONGEST:
        return error(f"its serial number is longer than {serials.LONGEST} bytes")
    serial = serials.text(number)
    if len(serial) % 2:
        return warning(f"tools print its serial in two ways, {serial} and 0{serial}; upload {serial}")
    if serials.looks_like_number(serial):
        return warning(f"a spreadsheet takes its serial {serial} for a number and changes it")
    return []


def _dates(start, end, now):
    if start > now:
        return error(f"it is not valid before {moment(start):%Y-%m-%d %H:%M} UTC")
    if end <= now:
        return error(f"it ended on {moment(end):%Y-%m-%d}")
    return []


def ca_certificate(held, now):
    """A CA certificate to register (x509.md 2, steps 3 and 4)."""
    found = any_certificate(held, now)
    if held.version == 3 and held.is_ca is not True:
        found += error("it is not a CA certificate: basicConstraints does not say CA:TRUE")
    if held.usage is not None and not held.usage.key_cert_sign:
        found += error("its keyUsage does not allow keyCertSign")
    if held.version == 3 and held.is_ca and held.usage is None:
        found += warning("it has no keyUsage; strict checkers (Python 3.13) refuse such a CA")
    if held.subject is not None and not list(held.subject):
        found += error("its subject is empty")
    if held.subject != held.issuer:
        found += warning(
            "it is not self-signed; every public example is, and nobody says the console takes others"
        )
    elif held.subject is not None and held.public is not None and not facts.signed_by(held, held):
        found += error("its own signature is wrong; the file was changed")
    return found


def ca_name(name):
    """The name typed into the console beside the CA certificate."""
    fault = names.ca_name_fault(name)
    if fault:
        return error(fault)
    if not name.isascii():
        return warning(
            f"only the Chinese console says that a name such as {name!r} may hold Chinese characters"
        )
    return []


def verification_certificate(held, now, ca=None, code=None):
    """A verification certificate (x509.md 2, step 5)."""
    found = any_certificate(held, now) + _issued_by(held, ca)
    if held.common_name is None:
        found += error("it has no Common Name; it must be the registration code")
    elif code is not None and held.common_name != code:
        found += error(f"its Common Name is {held.common_name!r}, not the registration code")
    elif code is None:
        fault = names.code_fault(held.common_name)
        found += error(f"its Common Name cannot be a registration code: {fault}") if fault else []
    return found


def _issued_by(held, ca):
    if ca is None:
        return []
    if held.issuer != ca.subject:
        return error("its issuer is not the subject of the CA certificate")
    if not facts.signed_by(held, ca):
        return error("its signature is not of the CA's key")
    return []


def device_certificate(held, now, ca=None, stem=None):
    """A device's certificate (x509.md 3); `stem` is its file name without the ending."""
    found = any_certificate(held, now) + _issued_by(held, ca)
    if held.is_ca:
        found += error("it is a CA certificate; a device must not be able to sign others")
    if held.usage is not None and not held.usage.digital_signature:
        found += error("its keyUsage does not allow digitalSignature, which mutual TLS needs")
    if held.extended_usage is not None and ExtendedKeyUsageOID.CLIENT_AUTH not in held.extended_usage:
        found += error("its extendedKeyUsage does not name clientAuth")
    if ca is not None and ca.end is not None and held.end is not None and held.end > ca.end:
        found += warning(f"it outlives its CA, which ends on {moment(ca.end):%Y-%m-%d}")
    return found + (_stem(stem, held, ca) if stem is not None else [])


def _stem(stem, held, ca):
    try:
        parsed = names.Stem.parse(stem)
    except ValueError as fault:
        return warning(str(fault))
    found = []
    if ca is not None and ca.serial and parsed.ca_serial != serials.text(ca.serial):
        found += error(
            f"its file name says CA_SN {parsed.ca_serial}, the CA's serial is {serials.text(ca.serial)}"
        )
    if held.common_name is not None and held.common_name != parsed.device_name:
        found += warning(
            f"its Common Name is {held.common_name!r}, its file name says {parsed.device_name!r}"
        )
    return found


def file_ending(ending):
    """The ending of a certificate file that the console takes."""
    if ending.lower() in ENDINGS:
        return []
    return error(f"the console takes {', '.join(ENDINGS)}, not {ending or 'a file without an ending'}")


def association_rows(rows, known=None):
    """An association file's rows (`devices.table`); `known(product, name, serial)` gives a fault or None."""
    if not rows:
        return error("it is empty; its first line is ProductKey,DeviceName,CertSN")
    header = rows[0][1]
    if tuple(header) != association.HEADER:
        if devices.column(header, "CertSN") is None:
            return error("its first line is not ProductKey,DeviceName,CertSN")
        return error(f"its first line is {','.join(header)}, not ProductKey,DeviceName,CertSN exactly")
    body = rows[1:]
    found = []
    if not body:
        found += error("it has a header but no rows")
    if len(body) > association.MOST:
        found += error(f"it has {len(body)} rows; the console takes {association.MOST} in a file")
    products = sorted({cells[0] for _, cells in body})
    if len(products) > 1:
        found += error(f"it holds {len(products)} products ({', '.join(products[:3])}); a file is of one")
    seen = {}
    for line, cells in body:
        found += [Finding(one.level, f"line {line}: {one.text}") for one in _row(line, cells, seen, known)]
    return found


def _row(line, cells, seen, known):
    if len(cells) != len(association.HEADER):
        return error(f"{len(cells)} columns instead of {len(association.HEADER)}")
    product_key, device_name, written = cells
    fault = names.product_key_fault(product_key) or names.device_name_fault(device_name)
    if fault:
        return error(fault)
    found = _repeated(line, seen, f"{product_key},{device_name}")
    try:
        serial = serials.normal(written)
    except ValueError as bad:
        return found + error(str(bad))
    found += _repeated(line, seen, f"CertSN {serial}")
    if written != serial:
        found += warning(f"CertSN {written} is not in the normal form {serial}")
    fault = known(product_key, device_name, serial) if known else None
    if fault:
        return found + error(fault)
    if known is None and written.isdigit():
        found += warning(
            f"CertSN {written} has only digits; make sure that it is the hexadecimal, not the decimal"
        )
    return found


def _repeated(line, seen, what):
    first = seen.setdefault(what, line)
    return error(f"{what} stands in line {first} already") if first != line else []
