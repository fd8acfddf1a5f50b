"""Secure upgrade: an RSA-2048 key for each product that has it, and `digestsign` (application.md 5.7)."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, cast

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

if TYPE_CHECKING:
    from tools.emulator.cloud.instance import Instance

KIND = "ota_key"
BITS, EXPONENT = 2048, 65537


class Keys:
    """Keys by ProductKey, made when the console's switch is first on; they stay when it goes off."""

    def __init__(self, instance: Instance):
        self.instance, self.store = instance, instance.store
        self.loaded: dict[str, rsa.RSAPrivateKey] = {}

    def enabled(self, product_key: str) -> bool:
        kept = self.store.state(product_key, "", KIND)
        if kept is not None:
            return bool(kept["enabled"])
        seeds = self.instance.config.products
        return any(seed.product_key == product_key and seed.more.get("secure_upgrade") for seed in seeds)

    def enable(self, product_key: str, enabled: bool) -> None:
        self.store.save_state(product_key, "", KIND, {"enabled": enabled, "key": self.text(product_key)})

    def text(self, product_key: str) -> str:
        """The private key in PEM, made if there is none yet."""
        kept = self.store.state(product_key, "", KIND)
        if kept is not None:
            return str(kept["key"])
        key = rsa.generate_private_key(EXPONENT, BITS)
        text = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode()
        self.store.save_state(product_key, "", KIND, {"enabled": self.enabled(product_key), "key": text})
        return text

    def key(self, product_key: str) -> rsa.RSAPrivateKey:
        if product_key not in self.loaded:
            found = serialization.load_pem_private_key(self.text(product_key).encode(), None)
            self.loaded[product_key] = cast("rsa.RSAPrivateKey", found)
        return self.loaded[product_key]

    def public(self, product_key: str) -> dict[str, object]:
        """What the console shows for the firmware: PEM, modulus in hex, exponent."""
        public = self.key(product_key).public_key()
        pem = public.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        ).decode()
        return {"pem": pem, "modulus": f"{public.public_numbers().n:0{BITS // 4}x}", "exponent": EXPONENT}

    def sign(self, product_key: str, digest: bytes) -> str:
        """The `digestsign` of a file: over the bytes of its digest, hashed once more with SHA-256."""
        chosen: padding.PKCS1v15 | padding.PSS = padding.PKCS1v15()
        if self.instance.config.switches.ota_digestsign_padding == "pss":
            chosen = padding.PSS(padding.MGF1(hashes.SHA256()), hashes.SHA256.digest_size)
        return base64.b64encode(self.key(product_key).sign(digest, chosen, hashes.SHA256())).decode()
