"""What the console and the platform ask of a file (x509.md 2, 3 and 8), as tables; pure.

Each rule gives None or `certificates.Finding`s. `error`: the console would refuse the file
or the board could not use it; `warning`: it works, and is worth knowing.
"""

from collections.abc import Callable, Sequence

from tools import certificates, serials
from tools.ca import association, device_list, names
from tools.certificates import Facts, Finding
from tools.image.identity import pair

ENDINGS = (".cer", ".crt", ".pem")


def ca_certificate(held: Facts, now: float) -> list[Finding]:
    """A CA certificate to register (x509.md 2, steps 3 and 4)."""
    found = certificates.any_certificate(held, now)
    if held.version == 3 and held.is_ca is not True:
        found += certificates.error("it is not a CA certificate: basicConstraints does not say CA:TRUE")
    if held.usage is not None and not held.usage.key_cert_sign:
        found += certificates.error("its keyUsage does not allow keyCertSign")
    if held.version == 3 and held.is_ca and held.usage is None:
        found += certificates.warning("it has no keyUsage; strict checkers (Python 3.13) refuse such a CA")
    if held.subject is not None and not list(held.subject):
        found += certificates.error("its subject is empty")
    if held.subject != held.issuer:
        found += certificates.warning(
            "it is not self-signed; every public example is, and nobody says the console takes others"
        )
    elif held.subject is not None and held.public is not None and not certificates.signed_by(held, held):
        found += certificates.error("its own signature is wrong; the file was changed")
    return found


def ca_name(name: str) -> list[Finding]:
    """The name typed into the console beside the CA certificate."""
    fault = names.ca_name_fault(name)
    if fault:
        return certificates.error(fault)
    if not name.isascii():
        return certificates.warning(
            f"only the Chinese console says that a name such as {name!r} may hold Chinese characters"
        )
    return []


def verification_certificate(
    held: Facts, now: float, ca: Facts | None = None, code: str | None = None
) -> list[Finding]:
    """A verification certificate (x509.md 2, step 5)."""
    found = certificates.any_certificate(held, now) + certificates.issued_by(held, ca)
    if held.common_name is None:
        found += certificates.error("it has no Common Name; it must be the registration code")
    elif code is not None and held.common_name != code:
        found += certificates.error(f"its Common Name is {held.common_name!r}, not the registration code")
    elif code is None:
        fault = names.code_fault(held.common_name)
        found += (
            certificates.error(f"its Common Name cannot be a registration code: {fault}") if fault else []
        )
    return found


def device_certificate(
    held: Facts, now: float, ca: Facts | None = None, stem: str | None = None
) -> list[Finding]:
    """[Finding] on a device's certificate (x509.md 3); `stem` is its file name without the ending."""
    return certificates.device_certificate(held, now, ca) + (
        _stem(stem, held, ca) if stem is not None else []
    )


def _stem(stem, held, ca):
    try:
        parsed = pair.Stem.parse(stem)
    except ValueError as fault:
        return certificates.warning(str(fault))
    found = []
    if ca is not None and ca.serial and parsed.ca_serial != serials.text(ca.serial):
        found += certificates.error(
            f"its file name says CA_SN {parsed.ca_serial}, the CA's serial is {serials.text(ca.serial)}"
        )
    if held.common_name is not None and held.common_name != parsed.device_name:
        found += certificates.warning(
            f"its Common Name is {held.common_name!r}, its file name says {parsed.device_name!r}"
        )
    return found


def file_ending(ending: str) -> list[Finding]:
    """The ending of a certificate file that the console takes."""
    if ending.lower() in ENDINGS:
        return []
    return certificates.error(
        f"the console takes {', '.join(ENDINGS)}, not {ending or 'a file without an ending'}"
    )


def association_rows(
    rows: Sequence[tuple[int, list[str]]], known: Callable[[str, str, str], str | None] | None = None
) -> list[Finding]:
    """An association file's rows (`devices.table`); `known(product, name, serial)` gives a fault or None."""
    if not rows:
        return certificates.error("it is empty; its first line is ProductKey,DeviceName,CertSN")
    header = rows[0][1]
    if tuple(header) != association.HEADER:
        if device_list.column(header, "CertSN") is None:
            return certificates.error("its first line is not ProductKey,DeviceName,CertSN")
        return certificates.error(
            f"its first line is {','.join(header)}, not ProductKey,DeviceName,CertSN exactly"
        )
    body = rows[1:]
    found = []
    if not body:
        found += certificates.error("it has a header but no rows")
    if len(body) > association.MOST:
        found += certificates.error(
            f"it has {len(body)} rows; the console takes {association.MOST} in a file"
        )
    products = sorted({cells[0] for _, cells in body})
    if len(products) > 1:
        found += certificates.error(
            f"it holds {len(products)} products ({', '.join(products[:3])}); a file is of one"
        )
    seen: dict[str, int] = {}
    for line, cells in body:
        found += [
            certificates.Finding(one.level, f"line {line}: {one.text}")
            for one in _row(line, cells, seen, known)
        ]
    return found


def _row(line, cells, seen, known):
    if len(cells) != len(association.HEADER):
        return certificates.error(f"{len(cells)} columns instead of {len(association.HEADER)}")
    product_key, device_name, written = cells
    fault = names.product_key_fault(product_key) or names.device_name_fault(device_name)
    if fault:
        return certificates.error(fault)
    found = _repeated(line, seen, f"{product_key},{device_name}")
    try:
        serial = serials.normal(written)
    except ValueError as bad:
        return found + certificates.error(str(bad))
    found += _repeated(line, seen, f"CertSN {serial}")
    if written != serial:
        found += certificates.warning(f"CertSN {written} is not in the normal form {serial}")
    fault = known(product_key, device_name, serial) if known else None
    if fault:
        return found + certificates.error(fault)
    if known is None and written.isdigit():
        found += certificates.warning(
            f"CertSN {written} has only digits; make sure that it is the hexadecimal, not the decimal"
        )
    return found


def _repeated(line, seen, what):
    first = seen.setdefault(what, line)
    return certificates.error(f"{what} stands in line {first} already") if first != line else []
