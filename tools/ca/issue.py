"""Issues device certificates: a serial is reserved, signed, the pair stored, and only then called issued.

A kill at any point is safe. Before the ledger calls a serial `issued`, the next attempt voids the reservation and
never uses the serial again. After that, `keep` has stored certificate and key already.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from tools.ca import keys, names
from tools.ca.authority import Authority, summary
from tools.ca.keys import DeviceKey
from tools.certificates import pem
from tools.errors import UserError
from tools.image.identity import pair

BATCH = 16  # devices whose serials are reserved, and then entered, in one transaction


@dataclass(frozen=True)
class Issued:
    """A device's certificate and key, DER; `key_der` is PKCS#1, or None where a CSR kept it elsewhere."""

    product_key: str
    device_name: str
    serial: str  # normal form
    ca_serial: str
    not_before: int  # Unix seconds
    not_after: int
    certificate_der: bytes = field(repr=False)
    key_der: bytes | None = field(repr=False)

    @property
    def stem(self) -> str:
        """The file name without ending, `[ProductKey]_[DeviceName]_[CA_SN]`."""
        return str(pair.Stem(self.product_key, self.device_name, self.ca_serial))

    @property
    def certificate_pem(self) -> bytes:
        return pem("CERTIFICATE", self.certificate_der)

    @property
    def key_pem(self) -> bytes | None:
        return pem("RSA PRIVATE KEY", self.key_der) if self.key_der else None


def issue(
    ca: Authority,
    product_key: str,
    device_name: str,
    *,
    csr: bytes | None = None,
    key: DeviceKey | None = None,
    bits: int = 2048,
    days: int | None = None,
    renew: bool = False,
    keep: Callable[[Issued], object] | None = None,
) -> Issued:
    """Issue one certificate from an unlocked `Authority`; returns `Issued`.

    The key is made here, or is `key` (a `DeviceKey`), or stays where `csr`
    (bytes, PEM or DER) was made. `keep(issued)` must store the pair durably:
    the ledger calls the certificate issued only after it returned. A device
    that has a certificate is refused unless `renew`. Raises UserError.
    """
    if csr is not None:
        key = keys.from_request(csr, f"the CSR of {device_name}")
    made = iter([key]) if key else keys.KeySource(1, bits, workers=1)
    return next(issue_many(ca, [(product_key, device_name)], made, days=days, renew=renew, keep=keep))


def issue_many(
    ca: Authority,
    devices: Sequence[tuple[str, str]],
    made: Iterator[DeviceKey],
    *,
    days: int | None = None,
    renew: bool = False,
    keep: Callable[[Issued], object] | None = None,
    batch: int = BATCH,
) -> Iterator[Issued]:
    """Issue to each (product_key, device_name) with the next key of `made`; yields `Issued` in order."""
    for product_key, device_name in devices:
        fault = names.product_key_fault(product_key) or names.device_name_fault(device_name)
        if fault:
            raise UserError(fault)
    if len(set(devices)) != len(devices):
        raise UserError("a device stands twice in what is to be issued")
    for start in range(0, len(devices), batch):
        group = devices[start : start + batch]
        now = ca.ready()
        end = ca.end(now, days)
        drawn = ca.ledger.reserve("device", group, now, renew)
        pairs = []
        for (product_key, device_name), serial in zip(group, drawn, strict=True):
            pairs.append(_sign(ca, product_key, device_name, serial, next(made), now=now, end=end))
            if keep:
                keep(pairs[-1])
        ca.ledger.finish(
            [summary(pair.certificate_der, "host" if pair.key_der else "csr") for pair in pairs], now
        )
        yield from pairs


def _sign(ca, product_key, device_name, serial, key, *, now, end):
    data = ca.sign_device(key, device_name, serial, now, end)
    signed = summary(data, "host")
    return Issued(
        product_key, device_name, serial, ca.serial, signed.not_before, signed.not_after, data, key.private
    )


def finish(ca: Authority, certificates: Iterable[bytes], origin: str = "host") -> None:
    """Enter certificates (DER) whose keys are kept into the CA's ledger as issued; once more changes nothing.

    For a line that was killed between keeping a pair and the ledger's word:
    it calls this for what it holds before it burns it. `origin` is "host" or
    "csr". UserError if a reservation was given up since.
    """
    ca.ledger.finish([summary(data, origin) for data in certificates], ca.clock())
