"""Whether a CONNECT is let in: the decision table of direct.md 9, with its switches. Pure.

`decide` changes nothing. It returns a `Verdict`; what an accepted one brings
about (a secret issued, a unit activated) is the instance's business.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tools.emulator.cloud import signing
from tools.emulator.cloud.centres.host_names import mqtt_centre, mqtt_hosts
from tools.emulator.cloud.codec import PROTOCOLS
from tools.emulator.cloud.identifier import parse_client_identifier, parse_username, whole_number

if TYPE_CHECKING:
    from tools.emulator.cloud.codec import Connect
    from tools.emulator.cloud.config import Config
    from tools.emulator.cloud.registry import Registry

KEEP_ALIVE = (30, 1200)  # seconds, direct.md 1.6
REGISTRATIONS = ("register", "regnwl")
# authType -> securemode by transport; direct.md 1.3. The third row's "2" is what SDKs send to register.
SECUREMODES: dict[str, dict[str, tuple[str, ...]]] = {
    "": {"tls": ("2",), "tcp": ("3",)},
    "connwl": {"tls": ("-2", "2"), "tcp": ()},
}
GUIDED = {"tls": "-1", "tcp": "0"}  # securemode of a connect with iotId and iotToken (direct.md 6.1)
STALE = 3  # CONNACK for a bad iotId or iotToken (direct.md 1.7)


@dataclass(frozen=True)
class Verdict:
    """`code` is the CONNACK code, or None to close without one; `kind` says what code 0 opens.

    `kind`: "device" (a DeviceSecret), "unit" (a device token), "guided" (an
    iotToken), "register", "regnwl", "x509" (a certificate), or "id2" (an
    identity that iTLS has proved).
    `reason` is for the log and holds no secret.
    """

    code: int | None
    reason: str = "success"
    kind: str = ""
    product_key: str = ""
    device_name: str = ""
    client_id: str = ""
    extra: dict[str, str] | None = None
    keep_alive: int = 0


class Refused(Exception):
    def __init__(self, code, reason):
        super().__init__(reason)
        self.code = code


def decide(
    connect: Connect,
    transport: str,
    server_name: str | None,
    registry: Registry,
    instance: Config,
    now: float,
) -> Verdict:
    """The `Verdict` on a CONNECT packet.

    `transport` is "tls" or "tcp", `server_name` the TLS name asked for or
    None, `instance` the configuration, `now` Unix seconds.
    """
    return judge(Case(connect, transport, server_name, registry, instance, now))


def judge(case: Case) -> Verdict:
    """The `Verdict` of a `Case`."""
    try:
        case.check()
    except Refused as refusal:
        return Verdict(
            refusal.code, str(refusal), "", case.product_key, case.device_name, case.client_id, case.extra
        )
    return Verdict(
        0,
        "success",
        case.kind,
        case.product_key,
        case.device_name,
        case.client_id,
        case.extra,
        case.keep_alive,
    )


class Case:
    """One CONNECT under examination; each check raises `Refused` or finds something out. `kind` is as in `Verdict`."""

    def __init__(self, connect, transport, server_name, registry, instance, now):
        self.connect, self.transport, self.server_name = connect, transport, server_name
        self.registry, self.instance, self.now = registry, instance, now
        self.switches = instance.switches
        self.client_id, self.extra, self.auth_type = "", {}, ""
        self.product_key = self.device_name = ""
        self.keep_alive = connect.keep_alive

    def check(self) -> None:
        """Every check that this kind of CONNECT has to pass, in the platform's order."""
        self.check_protocol()
        self.check_identifier()
        if self.kind != "guided":
            self.check_username()
        getattr(self, f"check_{self.kind}")()

    def check_protocol(self) -> None:
        connect = self.connect
        if (connect.protocol, connect.level) in PROTOCOLS:
            if connect.will and self.switches.will != "ignored":
                raise Refused(self.switches.will, "a will is not supported")
            return
        if connect.level == 5 and self.instance.kind == "public" and self.switches.mqtt5_public == "close":
            raise Refused(None, "MQTT 5 needs an Enterprise instance")
        raise Refused(1, f"protocol level {connect.level} is not accepted")

    def check_identifier(self) -> None:
        try:
            parsed = parse_client_identifier(self.connect.client_id)
        except ValueError as error:
            raise Refused(self.switches.bad_client_id, str(error)) from None
        self.client_id, self.extra = parsed.client_id, parsed.extra
        self.auth_type = self.resolve_auth_type()
        for key in ("securemode", *(("random",) if self.auth_type in REGISTRATIONS else ())):
            if not self.extra.get(key):
                raise Refused(self.switches.bad_client_id, f"{key} is missing")
        if self.extra.get("authtype"):
            raise Refused(self.switches.bad_client_id, "this listener knows no authtype")
        self.check_securemode()
        if self.kind not in ("unit", "guided"):
            self.check_method()
        if self.auth_type not in REGISTRATIONS:
            self.check_keep_alive()

    @property
    def kind(self) -> str:
        if not self.auth_type:
            return "guided" if self.extra["securemode"] in GUIDED.values() else "device"
        return self.auth_type if self.auth_type in REGISTRATIONS else "unit"

    def resolve_auth_type(self) -> str:
        """authType, with the contradiction of direct.md 10.6 settled by its switch."""
        given, wanted = self.extra.get("authType", ""), self.switches.connwl_auth_type
        if given == "regnwl" and "random" not in self.extra and wanted in ("regnwl", "either"):
            return "connwl"
        if given not in ("", "connwl", *REGISTRATIONS) or (given == "connwl" and wanted == "regnwl"):
            raise Refused(self.switches.bad_client_id, "authType is not one of register, regnwl, connwl")
        return given

    def check_securemode(self) -> None:
        mode = self.extra["securemode"]
        if self.auth_type in REGISTRATIONS:
            if self.transport != "tls":
                raise Refused(2, "a registration needs TLS")
            wanted = self.switches.registration_securemode
            if mode not in (("2", "-2") if wanted == "either" else (wanted,)):
                raise Refused(self.switches.bad_client_id, "securemode does not fit a registration")
        elif self.switches.securemode == "checked" and mode not in self.fitting_modes():
            raise Refused(self.switches.bad_client_id, f"securemode does not fit {self.transport.upper()}")

    def fitting_modes(self) -> tuple[str, ...]:
        if self.kind == "guided":
            return (GUIDED[self.transport],)
        return SECUREMODES[self.auth_type][self.transport]

    def check_method(self) -> None:
        self.method = signing.method(self.extra.get("signmethod", "hmacmd5"))
        if self.method is None:
            raise Refused(self.switches.unknown_signmethod, "signmethod is not known")

    def check_keep_alive(self) -> None:
        low, high = KEEP_ALIVE
        below, above = self.switches.keep_alive_low, self.switches.keep_alive_high
        if self.keep_alive < low and below != "clamp":
            raise Refused(below, f"keep alive {self.keep_alive} is below {low} s")
        if self.keep_alive > high and above != "clamp":
            raise Refused(above, f"keep alive {self.keep_alive} is above {high} s")
        self.keep_alive = min(max(self.keep_alive, low), high)

    def check_username(self) -> None:
        try:
            self.device_name, self.product_key = parse_username(self.connect.username)
        except ValueError as error:
            raise self.bad_login(str(error)) from None
        self.product = self.registry.products.get(self.product_key)
        if self.product is None or self.product.auth != "secret" or self.product.node == "subdevice":
            raise self.bad_login("no such product here for direct connects with a secret")
        self.check_host()
        try:
            self.password = (self.connect.password or b"").decode("ascii")
        except UnicodeDecodeError:
            raise self.bad_login("the password is wrong") from None
        self.device = self.product.devices.get(self.device_name)

    def check_host(self) -> None:
        asked = self.server_name
        if (
            self.switches.host == "checked"
            and asked is not None
            and asked.lower() not in map(str.lower, mqtt_hosts(self.instance, self.product_key))
        ):
            raise self.bad_login("the host is another product's or instance's")

    def check_guided(self) -> None:
        """A connect with what /auth/devicename gave, direct.md 6.1."""
        self.device = self.registry.tokens.find(self.connect.username)
        if self.device is None:
            raise Refused(STALE, "no such iotId")
        self.product_key, self.device_name = self.device.key
        self.check_host()
        token = (self.connect.password or b"").decode(errors="replace")
        if not self.registry.tokens.good(self.device, token, self.now):
            raise Refused(STALE, "the iotToken is stale or wrong")
        self.check_centre()
        self.check_enabled()

    def check_centre(self) -> None:
        """Whether the device is at home where it connects, as far as the host's name says where (1.7)."""
        asked, refusal = mqtt_centre(self.server_name), self.switches.homed_elsewhere
        if asked and refusal != "accepted" and asked != self.registry.homes.of(self.device):
            raise Refused(refusal, f"the device is at home in another centre than {asked}")

    def bad_login(self, reason: str) -> Refused:
        return Refused(self.switches.bad_login, reason)

    def check_device(self) -> None:
        """A connect with the DeviceSecret, direct.md 1.2."""
        if self.device is None:
            raise self.bad_login("no such device")
        fields = {"deviceName": self.device_name, "productKey": self.product_key}
        fields |= {"clientId": self.client_id} if self.client_id else {}
        fields |= {"timestamp": self.extra["timestamp"]} if "timestamp" in self.extra else {}
        if self.device.free or not signing.matches(self.password, self.method, self.device.secret, fields):
            raise self.bad_login("the password is wrong")
        self.check_timestamp()
        self.check_centre()
        self.check_enabled()

    def check_timestamp(self) -> None:
        window = self.switches.timestamp_minutes
        text = self.extra.get("timestamp")
        if window and text is not None:
            moment = whole_number(text)
            if moment is None or abs(self.now - moment / 1000) > window * 60:
                raise self.bad_login("the timestamp is outside its window")

    def check_enabled(self) -> None:
        if self.device is not None and self.device.disabled:
            raise Refused(self.switches.disabled, "the device is disabled")

    def check_unit(self) -> None:
        """A preregistration-free connect, direct.md 4."""
        refused = self.switches.connwl_refused
        unit = self.device and self.device.units.get(self.client_id)
        if unit is None or not signing.same(self.password, unit.token):
            raise Refused(refused, "no such ClientID, or its token is wrong")
        self.check_centre()
        self.check_enabled()
        if not self.registry.may_connect_unit(self.device, unit):
            raise Refused(
                refused,
                "the ClientID is blocked"
                if unit.blocked
                else f"{self.instance.limits.units} units are active",
            )

    def check_proof(self) -> None:
        """What both registrations prove: the ProductSecret and the right instance, direct.md 3."""
        fields = {
            "deviceName": self.device_name,
            "productKey": self.product_key,
            "random": self.extra["random"],
        }
        if not signing.matches(self.password, self.method, self.product.secret, fields):
            raise self.bad_login("the password is wrong")
        given, mode = self.extra.get("instanceId"), self.switches.instance_id
        if (mode == "required" and not given) or (
            mode != "ignored" and given and self.instance.instance_id not in (None, given)
        ):
            raise self.bad_login("instanceId is missing or another instance's")

    def check_register(self) -> None:
        self.check_proof()
        refused = self.switches.register_refused
        if not self.product.dynamic_registration:
            raise Refused(refused, "6288 dynamic registration is off")
        if self.device is None:
            raise Refused(refused, "6100 no such device")
        self.check_enabled()
        if not self.registry.may_register(self.device):
            raise Refused(refused, "6289 the device is already active")

    def check_regnwl(self) -> None:
        self.check_proof()
        refused, instance = self.switches.regnwl_refused, self.instance
        if instance.kind != "enterprise" or instance.region not in self.switches.regnwl_regions:
            raise Refused(refused, "this instance has no devices without pre-registration")
        if not (self.product.dynamic_registration and self.product.preregistration_free):
            raise Refused(refused, "6288 registration without pre-registration is off")
        self.check_enabled()
        if not self.registry.may_issue_unit(self.product, self.device_name):
            raise Refused(refused, "the DeviceName has all its units, or is a pre-registered device in use")
