"""What each kind of identity has in the ledger, and how that becomes the identity that a board is burned with.

kind     product has                          identity's sealed fields
device                                        device_secret
product  ProductSecret, a name rule           none
x509                                          certificate, private_key: DER in base64
id2      none, or a provisioning token        id2, id2_key, id2_type; none with a token

Beside the sealed fields the ledger has columns of what is no secret and must be unique: a certificate's issuer and
serial, or an ID.
"""

import base64
import datetime
import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

from cryptography import x509

from tools import certificates, serials
from tools.errors import UserError
from tools.firmware import record
from tools.image import identity as identities
from tools.image.identity import x509 as certified
from tools.image.identity.id2 import Id2
from tools.image.identity.own import Own
from tools.line import device_names
from tools.line.ledger.entries import Identity, Product
from tools.line.ledger.seal import Secret

if TYPE_CHECKING:
    from tools.line.job import Job
    from tools.line.ledger.ledger import Ledger


Burnable = Own | certified.X509 | Id2
COLUMNS = ("issuer", "serial", "expires", "id2")
_OPEN = ("id2", "id2_type")  # of the sealed fields, those that are no secret
_NOT_REGISTERING = ("method",)  # of a job's endpoint: only devices that register have one


def of_pair(certificate_der: bytes, key_der: bytes) -> dict[str, str]:
    """The sealed fields of a certificate and its key."""
    return {
        "certificate": base64.b64encode(certificate_der).decode(),
        "private_key": base64.b64encode(key_der).decode(),
    }


def certificate(fields: Mapping[str, str]) -> bytes | None:
    """The DER bytes of the certificate in sealed fields, or None."""
    text = fields.get("certificate")
    return None if text is None else base64.b64decode(text)


def public(fields: Mapping[str, str]) -> dict[str, str | None]:
    """The columns {name: value or None} that sealed fields {name: text} have beside them."""
    columns = dict.fromkeys(COLUMNS)
    der = certificate(fields)
    if der is not None:
        columns |= _of_certificate(der)
    return columns | {"id2": fields.get("id2")}


def _of_certificate(der):
    held = certificates.certificate(der).certificate
    return {
        "issuer": _authority(held),
        "serial": serials.text(held.serial_number),
        "expires": held.not_valid_after_utc.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
    }


def _authority(held):
    """64 hex digits that name a CA: its name, and its key where the certificate says it."""
    try:
        key = held.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    except (x509.ExtensionNotFound, ValueError):
        key = None
    return hashlib.sha256(held.issuer.public_bytes() + (key or b"")).hexdigest()


def mark(columns: Mapping[str, str | None]) -> tuple[str, ...] | None:
    """What is unique in a ledger: ("certificate", serial, issuer) or ("ID", the ID), for messages too; else None."""
    if columns["serial"]:
        return "certificate", columns["serial"], columns["issuer"] or ""
    return ("ID", columns["id2"]) if columns["id2"] else None


def wanted(job: "Job", product: Product, row: Identity) -> Burnable:
    """The checked identity to burn: the ledger's secrets and the job's endpoint. UserError when it is none."""
    own = {name: secret.reveal() for name, secret in row.secrets.items()}
    endpoint = {name: value for name, value in job.endpoint.items() if name not in _NOT_REGISTERING}
    if product.kind == "x509":
        if not own:
            raise UserError(f"{row.device_name} has no certificate in the ledger")
        return identities.parse({**{name: base64.b64decode(text) for name, text in own.items()}, **endpoint})
    values = {"product_key": row.product_key, **own, **endpoint, "way": product.kind}
    if product.kind == "product" or product.kind == "id2" and not own:
        values |= _with_product_secret(product, row)
    else:
        values["device_name"] = row.device_name
    if product.kind == "product" and "method" in job.endpoint:
        values["method"] = job.endpoint["method"]
    if product.sub_products:
        values["sub_products"] = [
            {"product_key": key}
            if secret is None
            else {"product_key": key, "product_secret": secret.reveal()}
            for key, secret in product.sub_products
        ]
    return identities.parse(values)


def _with_product_secret(product, row):
    if product.secret is None:
        raise UserError(f"product {product.product_key} has no ProductSecret in the ledger")
    values = {"product_secret": product.secret.reveal()}
    if product.name_rule in device_names.MAC_RULES:
        return values | {"name_rule": product.name_rule}
    return values | {"device_name": row.device_name}


def holds(fields: Mapping[int, bytes] | None, mac: str, ledger: "Ledger") -> tuple[str, str] | None:
    """(ProductKey, DeviceName) that a board's burned fields name, or None; the ledger knows whose a certificate is."""
    if fields is None:
        return None
    if fields.get(record.KIND) == b"x509":
        return _named(fields.get(record.CERTIFICATE, b""), ledger)
    name = fields.get(record.DEVICE_NAME)
    if name is None and record.NAME_RULE in fields:
        return fields[record.PRODUCT_KEY].decode(), device_names.of_mac(
            fields[record.NAME_RULE].decode(), mac
        )
    return fields.get(record.PRODUCT_KEY, b"").decode(), (name or b"").decode()


def _named(der, ledger):
    try:
        columns = dict.fromkeys(COLUMNS) | _of_certificate(der)
    except (certificates.Unreadable, ValueError):
        return "X.509", "a certificate that cannot be read"
    return ledger.holders([columns]).get(mark(columns)) or ("X.509", f"certificate {columns['serial']}")


def check_job(job: "Job", product: Product) -> None:
    """UserError when a job's endpoint is not for the kind of its product."""
    endpoint = {name: value for name, value in job.endpoint.items() if name not in _NOT_REGISTERING}
    if product.kind == "x509":
        odd = [name for name in endpoint if name not in certified.X509.NAMES]
        if odd:
            raise UserError(f"job {job.name}: endpoint.{odd[0]} is not for a product with X.509; take it out")
    elif product.kind == "id2":
        sample = {"id2": "0" * 24, "id2_key": "00" * 16, "id2_type": "AES_128"}
        try:
            identities.parse({"way": "id2", "product_key": product.product_key, **sample, **endpoint})
        except UserError as error:
            raise UserError(f"job {job.name}: {error}") from None


def shown(secrets: Mapping[str, Secret]) -> dict[str, str]:
    """What may be shown of sealed fields {name: Secret}, by name: secrets masked, a certificate by its facts."""
    masked = {key: secret.reveal() if key in _OPEN else str(secret) for key, secret in secrets.items()}
    der = certificate({key: secret.reveal() for key, secret in secrets.items()})
    if der is not None:
        masked |= certified.described(der)
        masked["private_key"] = "****"
    return masked
