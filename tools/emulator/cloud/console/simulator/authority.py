"""The simulator's own CA: registered at the cloud as a maker does it, for boards to which nobody gave a certificate."""

from __future__ import annotations

import asyncio
import datetime
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

if TYPE_CHECKING:
    from tools.emulator.cloud.console.visit import Visit

NAME = "Simulator_CA"
DAYS = 365
CA = (x509.BasicConstraints(True, None), True)
CLIENT = (
    (x509.BasicConstraints(False, None), True),
    (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), False),
)


class Authority:
    """Lives as long as the cloud's process; what an earlier one has registered is replaced."""

    def __init__(self) -> None:
        self.key: rsa.RSAPrivateKey | None = None
        self.certificate: x509.Certificate | None = None
        self.registering = asyncio.Lock()

    async def issue(self, visit: Visit, product_key: str, device_name: str) -> tuple[bytes, bytes]:
        """(certificate, private key), PEM, of a device, associated with it at the cloud. Raises `Refused`."""
        async with self.registering:
            if self.certificate is None or NAME not in visit.instance.certificates.authorities:
                await self.register(visit)
        key, certificate = await asyncio.to_thread(self.certified, device_name)
        row = f"ProductKey,DeviceName,CertSN\r\n{product_key},{device_name},{certificate.serial_number:X}\r\n"
        await visit.admin("POST", f"/cas/{NAME}/association", {"csv": row})
        private = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
        return pem(certificate), private

    async def register(self, visit: Visit) -> None:
        """Registers the CA with the proof that its key is here."""
        self.key, self.certificate = None, None
        self.key, made = await asyncio.to_thread(self.certified, NAME, CA)
        self.certificate = made
        if NAME in visit.instance.certificates.authorities:
            await visit.admin("DELETE", f"/cas/{NAME}")
        code = (await visit.admin("GET", "/registration_code"))["code"]
        _, proof = await asyncio.to_thread(self.certified, code)
        texts = {"certificate": pem(made).decode(), "verification": pem(proof).decode()}
        await visit.admin("POST", "/cas", {"name": NAME, **texts})

    def certified(
        self, name: str, *extensions: tuple[x509.ExtensionType, bool]
    ) -> tuple[rsa.RSAPrivateKey, x509.Certificate]:
        """A new key and its certificate by this CA, or by itself while there is none."""
        key = rsa.generate_private_key(65537, 2048)
        now = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.certificate.subject if self.certificate else subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number() >> 80 | 1)
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=DAYS))
        )
        for extension, critical in extensions or CLIENT:
            builder = builder.add_extension(extension, critical)
        return key, builder.sign(self.key or key, hashes.SHA256())


def pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
