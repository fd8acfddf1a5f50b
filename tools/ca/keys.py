"""RSA keys of devices: made here, many at once, or taken from a signing request."""

import collections
import concurrent.futures
import multiprocessing
import os
import signal
import threading
from dataclasses import dataclass, field
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tools import certificates
from tools.errors import UserError

SIZES = (2048, 3072, 4096)  # 2048 in every public example, the rest is allowed by us (x509.md 2)
_AHEAD = 4  # keys in the making per worker


@dataclass(frozen=True)
class DeviceKey:
    """A public key (SubjectPublicKeyInfo, DER) and, if it was made here, its private key (PKCS#1, DER)."""

    public: bytes
    private: bytes | None = field(default=None, repr=False)


def generate(bits: int = 2048) -> DeviceKey:
    """A new RSA key; its private half is PKCS#1, all that MicroPython up to 1.23 loads (x509.md 9.2)."""
    key = rsa.generate_private_key(65537, bits)
    return DeviceKey(
        key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        ),
        key.private_bytes(
            serialization.Encoding.DER,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        ),
    )


def from_request(data: bytes, name: str = "the CSR") -> DeviceKey:
    """The key of a signing request (bytes, PEM or DER) with a good signature; its subject is ignored."""
    try:
        load = x509.load_pem_x509_csr if b"-----BEGIN" in data else x509.load_der_x509_csr
        request = load(data)
        key = request.public_key()
        genuine = request.is_signature_valid
    except certificates.UNREADABLE:
        raise UserError(f"{name} is not a certificate signing request (PKCS#10, PEM or DER)") from None
    if not isinstance(key, rsa.RSAPublicKey):
        raise UserError(f"the key of {name} is not RSA; the platform takes only RSA")
    if key.key_size not in SIZES:
        raise UserError(f"the key of {name} has {key.key_size} bits; take 2048, 3072 or 4096")
    if not genuine:
        raise UserError(f"the signature of {name} is wrong; it was cut, changed, or made with another key")
    return DeviceKey(
        key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    )


class KeySource:
    """An iterator over `count` new keys, made ahead by `workers` processes; use it in a `with`.

    Making keys is nearly all the work of issuing, so nothing else is spread.
    """

    def __init__(self, count: int, bits: int = 2048, workers: int | None = None) -> None:
        self._left = count
        self._bits = bits
        self._workers = max(1, min(workers or os.cpu_count() or 1, count))
        self._pool: concurrent.futures.ProcessPoolExecutor | None = None
        self._coming: collections.deque[concurrent.futures.Future[DeviceKey]] = collections.deque()

    def __enter__(self) -> Self:
        if self._workers > 1:
            self._pool = concurrent.futures.ProcessPoolExecutor(
                self._workers, multiprocessing.get_context("spawn"), _become_worker
            )
            self._order()
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool:
            self._pool.shutdown(cancel_futures=True)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> DeviceKey:
        if self._pool is None:
            if self._left == 0:
                raise StopIteration
            self._left -= 1
            return generate(self._bits)
        if not self._coming:
            raise StopIteration
        try:
            key = self._coming.popleft().result()
            self._order()
        except concurrent.futures.process.BrokenProcessPool:
            raise UserError(
                "a process that made keys was killed (out of memory?); "
                "run the command again, it goes on where it stopped"
            ) from None
        return key

    def _order(self):
        while self._left and len(self._coming) < _AHEAD * self._workers:
            self._left -= 1
            self._coming.append(self._pool.submit(generate, self._bits))


def _become_worker():
    """Leave Ctrl-C to the parent, and end with it even if it was killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent():
    multiprocessing.parent_process().join()
    os._exit(1)
