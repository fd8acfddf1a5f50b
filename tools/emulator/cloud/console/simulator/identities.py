"""What a board of the simulator is given: an identity that the cloud has just made, and an application."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools.emulator.cloud.config import ID2, NAME_RULE
from tools.emulator.cloud.console.page import Refused
from tools.emulator.cloud.console.simulator.boards import ROOT
from tools.emulator.cloud.identifier import DEVICE_NAME

if TYPE_CHECKING:
    from tools.emulator.cloud.console.simulator.authority import Authority
    from tools.emulator.cloud.console.simulator.boards import Board
    from tools.emulator.cloud.console.visit import Visit
    from tools.emulator.cloud.registry import Product

# kind of identity -> the authentication that its product has; the first of each is what a product gets by itself
KINDS = {
    "unique": "secret",
    "https": "secret",
    "mqtt": "secret",
    "regnwl": "secret",
    "x509": "x509",
    "id2": "id2",
    "id2_token": "id2",
}
REGISTERING = ("https", "mqtt", "regnwl")
NAMED = ("unique", "x509")  # kinds that are made for one device
CERTIFICATE, PRIVATE_KEY = "board.cer", "board.key"
AUTHS, BOOTSTRAPS = ("mqtt", "https"), ("none", "region", "global")
EXAMPLES = ROOT / "firmware" / "examples"
TAKEN = (".py", ".json")


def applications() -> dict[str, Path]:
    """{name: file or folder} of what a board can run in place of the release's own main.py."""
    found = {path.stem: path for path in sorted(EXAMPLES.glob("*.py"))}
    return found | {path.parent.name: path.parent for path in sorted(EXAMPLES.glob("*/main.py"))}


def application(name: str, subdevices: str) -> dict[str, bytes]:
    """{file: bytes} of the application `name`, {} for the release's own; `subdevices` is the list of a gateway's."""
    place = applications().get(name)
    if place is None:
        return {}
    if place.is_dir():
        return {path.name: path.read_bytes() for path in place.iterdir() if path.suffix in TAKEN}
    more = {"subdevices.txt": "".join(f"{line}\n" for line in subdevices.splitlines()).encode()}
    return {"main.py": place.read_bytes(), **(more if subdevices else {})}


def kind_for(visit: Visit, product: Product, asked: str) -> str:
    """The kind of identity for a board of `product`; raises `Refused`."""
    fits = [kind for kind, auth in KINDS.items() if auth == product.auth]
    kind = asked or fits[0]
    if product.node == "subdevice":
        raise Refused(visit.text("simulator.no_subdevice"))
    if kind not in fits:
        raise Refused(visit.text("simulator.kind_does_not_fit", pk=product.product_key))
    return kind


class Maker:
    """Makes the identity of `board`, a device of `product`, out of the form of `visit`."""

    def __init__(self, visit: Visit, board: Board, product: Product, authority: Authority):
        self.visit, self.board, self.product, self.authority = visit, board, product, authority
        self.name = visit.field("device_name")
        self.device_name = self.name or board.mac.replace(":", "")
        self.files: dict[str, bytes] = {}

    async def make(self) -> dict[str, Any]:
        """The identity as `make flash CERT=` takes it; what lies beside it is in `files`. Raises `Refused`."""
        kind = self.board.kind
        if not DEVICE_NAME.fullmatch(self.device_name):
            raise Refused(f"DeviceName {self.device_name[:40]!r} {NAME_RULE}")
        if kind != "regnwl" and self.product.auth != "id2":
            await self.create()
        fields = await (self.by_certificate() if kind == "x509" else self.by_secret(kind))
        return {**fields, **self.endpoint(), **self.subproducts()}

    async def create(self) -> None:
        """Creates the device, if it may; one that is made for this device needs it."""
        if self.device_name in self.product.devices:
            return
        if self.visit.ticked("create"):
            body = {"device_names": [self.device_name]}
            await self.visit.admin("POST", f"/products/{self.product.product_key}/devices", body)
        elif self.board.kind in NAMED:
            raise Refused(
                self.visit.text("common.no_device", pk=self.product.product_key, dn=self.device_name)
            )

    async def by_secret(self, kind: str) -> dict[str, Any]:
        pk = self.product.product_key
        fields: dict[str, Any] = {"product_key": pk, **({"device_name": self.name} if self.name else {})}
        if kind == "unique":
            secret = self.product.devices[self.device_name].secret
            return {**fields, "device_name": self.device_name, "device_secret": secret}
        if kind in REGISTERING:
            return {**fields, "product_secret": self.product.secret, "method": kind}
        if kind == "id2_token":
            return {"way": "id2", **fields, "product_secret": self.product.secret}
        return {"way": "id2", **fields, **await self.identity()}

    async def identity(self) -> dict[str, str]:
        """The ID2 that was named, or a new one."""
        asked = self.visit.field("id2").upper()
        if asked and not ID2.fullmatch(asked):
            raise Refused(self.visit.text("simulator.no_id2"))
        if asked:
            found = await self.visit.admin("GET", f"/identities/{asked}", secret="1")
        else:
            path = f"/products/{self.product.product_key}/identities"
            [found] = await self.visit.admin("POST", path, {"count": 1}, secret="1")
        return {name: found[name] for name in ("id2", "id2_key", "id2_type")}

    async def by_certificate(self) -> dict[str, Any]:
        """The pair that was uploaded, or one of the simulator's own CA."""
        pair = await self.visit.file("certificate"), await self.visit.file("private_key")
        if not any(pair):
            pair = await self.authority.issue(self.visit, self.product.product_key, self.device_name)
        if not all(pair):
            raise Refused(self.visit.text("simulator.half_a_pair"))
        self.files = dict(zip((CERTIFICATE, PRIVATE_KEY), pair, strict=True))
        return {"certificate": CERTIFICATE, "private_key": PRIVATE_KEY}

    def endpoint(self) -> dict[str, str]:
        """Where the board connects: by the instance, or by what was chosen for a board that asks."""
        config, visit = self.visit.instance.config, self.visit
        region = visit.field("region") or config.region
        found = {"region": chosen(visit, region, config.centres)}
        if self.product.auth == "secret":
            found["auth"] = chosen(visit, visit.field("auth") or AUTHS[0], AUTHS)
            found["bootstrap"] = chosen(visit, visit.field("bootstrap") or BOOTSTRAPS[0], BOOTSTRAPS)
        asks = found.get("bootstrap", "none") != "none"
        if config.instance_id and not asks:
            found["instance"] = config.instance_id
            if self.product.auth == "id2":
                found["host"] = f"{config.instance_id}.itls.{region}.aliyuncs.com"
        return found

    def subproducts(self) -> dict[str, Any]:
        """The products of a gateway's sub-devices."""
        if self.product.node != "gateway":
            return {}
        lines = [line.split() for line in self.visit.field("subdevices").splitlines()]
        keys = dict.fromkeys(words[0] for words in lines if words)
        return {"sub_products": [{"product_key": key} for key in keys]} if keys else {}


def chosen(visit: Visit, value: str, known: Mapping[str, Any] | tuple[str, ...]) -> str:
    if value not in known:
        raise Refused(visit.text("common.no_choice", value=value))
    return value
