"""Whether a CONNECT inside iTLS is let in, and what that brings about (id2.md 6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tools.emulator.cloud.identifier import parse_client_identifier, parse_username
from tools.emulator.cloud.login import Case, Refused, judge

if TYPE_CHECKING:
    from tools.emulator.cloud.codec import Connect
    from tools.emulator.cloud.id2.identities import Identity
    from tools.emulator.cloud.instance import Instance
    from tools.emulator.cloud.login import Verdict

SECUREMODE, AUTHTYPE = "8", "id2"


def decide(connect: Connect, identity: Identity, instance: Instance) -> Verdict:
    """The `Verdict` on a CONNECT of a device that has proved `identity`; changes nothing."""
    return judge(Id2Case(connect, identity, instance))


def bind(identity: Identity, verdict: Verdict, instance: Instance) -> None:
    """An accepted login: creates the DeviceName if it is new, and binds the identity to it."""
    product = instance.registry.products[verdict.product_key]
    if verdict.device_name not in product.devices:
        instance.registry.add(product, [verdict.device_name])
    if instance.config.switches.id2_binding != "free" and identity.device_name != verdict.device_name:
        instance.id2.identities.bind(identity, verdict.device_name)


class Id2Case(Case):
    """The password is not looked at: iTLS has proved who it is."""

    kind = "id2"

    def __init__(self, connect, identity, instance):
        super().__init__(connect, "itls", None, instance.registry, instance.config, instance.wall())
        self.identity, self.service = identity, instance.id2

    def check_identifier(self) -> None:
        bad = self.switches.bad_client_id
        try:
            parsed = parse_client_identifier(self.connect.client_id)
        except ValueError as error:
            raise Refused(bad, str(error)) from None
        self.client_id, self.extra = parsed.client_id, parsed.extra
        if self.extra.get("authtype") != AUTHTYPE or self.extra.get("authType"):
            raise Refused(bad, "iTLS needs authtype=id2, and no authType")
        if self.switches.securemode == "checked" and self.extra.get("securemode") != SECUREMODE:
            raise Refused(bad, "iTLS needs securemode=8")
        self.check_keep_alive()

    def check_username(self) -> None:
        try:
            self.device_name, self.product_key = parse_username(self.connect.username)
        except ValueError as error:
            raise self.bad_login(str(error)) from None
        if self.product_key != self.identity.product_key:
            raise self.bad_login("the user name is of another product than the identity")
        self.product = self.registry.products[self.product_key]
        if self.product.node == "subdevice":
            raise self.bad_login("a sub-device does not connect itself")
        self.device = self.product.devices.get(self.device_name)

    def check_id2(self) -> None:
        given, mode = self.extra.get("instanceId"), self.switches.id2_instance_id
        if (mode == "required" and not given) or (
            mode != "ignored" and given and self.instance.instance_id not in (None, given)
        ):
            raise self.bad_login("instanceId is missing or another instance's")
        self.check_enabled()
        if self.device is None and self.service.identities.licences[self.product_key].whitelist:
            raise Refused(self.switches.id2_whitelist_refused, "the DeviceName is not on the white list")
        if self.switches.id2_binding == "first":
            self.check_binding()

    def check_binding(self) -> None:
        if self.identity.device_name not in (None, self.device_name):
            raise self.bad_login("the identity is bound to another DeviceName")
        bound = self.service.identities.bound(self.product_key, self.device_name)
        if bound not in (None, self.identity):
            raise self.bad_login("the DeviceName is bound to another identity")
