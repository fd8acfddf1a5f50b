"""What a board with a certificate will sign and send, computed with the firmware's own pure modules."""

from dataclasses import dataclass, field, replace

from aliot import identities, registration
from aliot.bootstrap import AskingEndpoint, messages
from aliot.credentials import Credential
from aliot.endpoint import PUBLIC, Endpoint
from aliot.errors import CredentialError
from aliot.login import login
from aliot.settings import Settings
from aliot.sign import canonical

from tools.errors import UserError
from tools.firmware import record
from tools.image.identity import Identity
from tools.image.identity.own import Own

SDK_TIMESTAMP = 2524608000000  # what a board without a clock sends, as the SDKs do; direct.md 6.1
ISSUED = "what is issued is stored, and an ordinary CONNECT follows"
ISSUED_AND_ASKED = "what is issued is stored, then the board asks where to connect"


@dataclass(frozen=True)
class Step:
    """One request: where it goes, the text that is signed, the key's name, and every field that is sent."""

    title: str
    host: str  # "" where the answer to the request before it says
    port: int
    roots: tuple[str, ...]
    text: str  # what the HMAC is taken of; "" when nothing is signed
    key: str  # "DeviceSecret" or "ProductSecret"; "" when nothing is signed
    method: str
    fields: dict[str, str] = field(repr=False)  # name -> value; the signature is among them
    signature: str = field(repr=False)  # the name of that field
    then: str = ""  # what the board does with the answer


def credential(identity: Identity, mac: str | None = None) -> tuple[Credential, Endpoint | AskingEndpoint]:
    """(credential, endpoint) as a board with this identity has them; `mac` is needed where no DeviceName is burned."""
    if identity.kind not in ("device", "product"):
        raise UserError(
            f"nothing is signed with a secret for the kind {identity.kind}, so there is no text to compare; "
            "'inspect' shows what a board holds"
        )
    if isinstance(identity, Own) and identity.key_block is not None:
        raise UserError(
            f"the secret is in KEY{identity.key_block} and cannot be read, so nothing can be signed here: "
            "the board alone can"
        )
    fields = identity.fields()
    if record.DEVICE_NAME not in fields and mac is None:
        raise UserError("no device_name in the certificate: the board will use its MAC; give it with --mac")
    try:
        made = identities.burned(fields, 0, bytes.fromhex((mac or "0" * 12).replace(":", "")), None)
        return made, Settings({}, fields).endpoint(made)
    except CredentialError as error:
        raise UserError(error.detail) from None


def steps(
    identity: Identity, mac: str | None = None, timestamp: int | None = None, nonce: str | None = None
) -> list[Step]:
    """The requests that a board makes, in order, up to the first that needs an answer; a list of `Step`.

    `timestamp` (ms) and `nonce` are what the console or a log shows, to compare with it.
    """
    who, where = credential(identity, mac)
    method = identity.sign_method or "hmacsha256"
    if isinstance(where, AskingEndpoint) and not who.method:
        return asked(who, where, method, timestamp)
    if not who.method:
        return [connect(who, where, method, timestamp)]
    nonce = nonce or registration.random()
    return [
        over_https(who, where, method, nonce)
        if who.method == "https"
        else over_mqtt(who, where, method, nonce)
    ]


def connect(who: Credential, where: Endpoint | AskingEndpoint, method: str, timestamp: int | None) -> Step:
    """The CONNECT of a device with a DeviceSecret; direct.md 1.1 and 1.2."""
    made = login(who, where, timestamp, method)
    signed = {
        "clientId": made.client_id.partition("|")[0],
        "deviceName": who.device_name,
        "productKey": who.product_key,
    }
    if timestamp is not None:
        signed["timestamp"] = timestamp
    fields = {"client identifier": made.client_id, "user name": made.username, "password": made.password}
    return Step(
        "MQTT CONNECT",
        where.host,
        where.port,
        where.roots,
        canonical(signed),
        "DeviceSecret",
        method,
        fields,
        "password",
    )


def asked(who: Credential, where: AskingEndpoint, method: str, timestamp: int | None) -> list[Step]:
    """What is asked before a CONNECT, and the CONNECT itself where it does not hang on an answer; direct.md 6."""
    found = []
    host, path = where.question()
    if path == "/auth/bootstrap":
        found.append(
            Step(
                f"POST {path}",
                host,
                443,
                PUBLIC,
                "",
                "",
                "",
                _pairs(messages.bootstrap(who)),
                "",
                "the answer says where to go on",
            )
        )
        if where.auth == "mqtt":
            made = connect(who, where, method, timestamp)
            return [*found, replace(made, host="", port=0, roots=())]
        host = ""
    stamp = SDK_TIMESTAMP if timestamp is None else timestamp
    router = where.bootstrap == "region"
    form = messages.authentication(who, stamp, method, router)
    found.append(
        Step(
            "POST /auth/devicename",
            host,
            443,
            PUBLIC,
            messages.content(who, stamp, router),
            "DeviceSecret",
            method,
            _pairs(form),
            "sign",
            "CONNECT with the iotId and the iotToken of the answer, securemode=-1, where the answer says",
        )
    )
    return found


def _pairs(form):
    return dict(pair.split("=") for pair in form.split("&"))


def over_https(who: Credential, where: Endpoint | AskingEndpoint, method: str, nonce: str) -> Step:
    """POST /auth/register/device; direct.md 2.1 and 2.2."""
    sign = registration.signature(who, nonce, method)
    fields = {
        "productKey": who.product_key,
        "deviceName": who.device_name,
        "random": nonce,
        "sign": sign,
        "signMethod": method,
    }
    return Step(
        "POST /auth/register/device",
        where.register_host,
        443,
        PUBLIC,
        _content(who, nonce),
        "ProductSecret",
        method,
        fields,
        "sign",
        _afterwards(where),
    )


def over_mqtt(who: Credential, where: Endpoint | AskingEndpoint, method: str, nonce: str) -> Step:
    """CONNECT with authType register or regnwl; direct.md 3 and 4."""
    kind = "regnwl" if who.method == "regnwl" else "register"
    instance = f",instanceId={where.instance}" if where.instance else ""
    client_id = (
        f"{who.device_name}|securemode={-2 if where.instance else 2},authType={kind},random={nonce},"
        f"signmethod={method}{instance}|"
    )
    fields = {
        "client identifier": client_id,
        "user name": f"{who.device_name}&{who.product_key}",
        "password": registration.signature(who, nonce, method),
    }
    return Step(
        f"MQTT CONNECT, authType={kind}",
        where.host,
        where.port,
        where.roots,
        _content(who, nonce),
        "ProductSecret",
        method,
        fields,
        "password",
        _afterwards(where),
    )


def _afterwards(where):
    return ISSUED_AND_ASKED if isinstance(where, AskingEndpoint) else ISSUED


def _content(who, nonce):
    return canonical({"deviceName": who.device_name, "productKey": who.product_key, "random": nonce})
