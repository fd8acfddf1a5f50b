"""What to do about an error: read only when one is shown. Pure data; the host's tools read it too."""

# Registration codes of direct.md 2.4: code -> (retry class, meaning, advice).
REGISTRATION = {
    400: ("never", "request could not be processed", "check the ProductKey, DeviceName and ProductSecret that were burned"),
    401: ("never", "signature error", "check that the burned ProductSecret is the one of this ProductKey"),
    429: ("later", "too many requests", "nothing to do: the board asks again later"),
    460: ("never", "request parameter error", "check the burned ProductKey and DeviceName, and the sign method"),
    500: ("now", "platform error", "nothing to do: the board asks again"),
    5005: ("never", "product lookup failed", "check the burned ProductKey and the region"),
    6100: ("never", "device not found", "create the device in the console under exactly this DeviceName, or burn "
           "the name that was created"),
    6204: ("never", "device is disabled", "enable the device in the console"),
    6250: ("never", "product not found", "check the burned ProductKey and the region it was created in"),
    6280: ("never", "device name breaks the rules", "burn a DeviceName of 4 to 32 letters, digits and - _ @ . :"),
    6287: ("never", "invalid sign", "check that the burned ProductSecret is the one of this ProductKey"),
    6288: ("never", "dynamic registration is off", "switch dynamic registration on for the product in the console"),
    6289: ("never", "device is already active", "restore this board's DeviceSecret from the ledger, or reset its "
           "registration with ResetThing and boot again"),
    6292: ("never", "signature method not supported", "burn hmacsha256, hmacsha1 or hmacmd5 as the sign method"),
    6600: ("never", "wrong signature", "check that the burned ProductSecret is the one of this ProductKey"),
    6619: ("never", "bound to another gateway", "detach the device from its gateway first"),
}

# CONNACK return codes; direct.md 1.7.
CONNACK = {
    1: "protocol version refused",
    2: "identifier rejected",
    3: "server unavailable",
    4: "bad user name or password",
    5: "not authorized",
}

_ADVICE = {
    "credential": "burn an identity into this board",
    "store": "re-flash the board or replace its flash; the identity stays as it is",
    "dns": "check the board's network and the name server it was given",
    "connect": "check that the network lets the board out to this host and port",
    "timeout": "check the network; the board tries again",
    "closed": "nothing to do: the board connects again",
    "reset": "nothing to do: the board connects again",
    "tls": "check that nothing between the board and the platform breaks TLS open",
    "tls.memory": "the C heap, not Python's, is too small for TLS: connect early and keep one TLS connection at a time",
    "tls.alert": "the peer refused our TLS: check the endpoint, and the client certificate if one is burned",
    "certificate.clock": "the clock is the likely cause: let the board reach an SNTP server (UDP port 123)",
    "certificate.expired": "the server's certificate has expired: check the endpoint, and the clock",
    "certificate.future": "the server's certificate is not valid yet: check the endpoint, and the SNTP server's time",
    "certificate.name": "the server is not the one asked for: check host, region and instance",
    "certificate.root": "put a DER certificate there, or remove the file",
    "endpoint": "correct the endpoint in config.json, or burn the identity again",
    "certificate.untrusted": "the server's root is not among the board's: check the endpoint, or add its root to /roots",
    "protocol": "check that the endpoint is the platform's MQTT port",
    "offline": "wait until the device is connected",
    "twin": "another unit connects with the same identity: find the board that was burned twice",
    "suback": "the device may subscribe to its own topics only, 100 at most",
    "wifi": "check the network's name and password in config.json, and that it is 2.4 GHz",
    "register.answer": "check the endpoint; nothing was stored and the board asks again",
    "mqtt.1": "check that the endpoint is the platform's MQTT port",
    "mqtt.2": "check the keep alive (30 to 1200 s), the instance and the registration method",
    "mqtt.3": "nothing to do: the board connects again",
    "mqtt.4": "check region and instance, that the device exists and is enabled, and that its secret is the burned one",
    "mqtt.5": "check that the device is enabled and belongs to this instance",
}

_REGISTER_MQTT = "check the ProductSecret, that dynamic registration is on, and that the device exists and was never active"


def advice(code):
    """One sentence for an error's code; empty when there is none."""
    if code.startswith("register."):
        number = code[9:]
        if number.isdigit() and int(number) in REGISTRATION:
            return REGISTRATION[int(number)][2]
        if number.startswith("mqtt"):
            return _REGISTER_MQTT
        return _ADVICE["register.answer"]
    if code.startswith("store."):
        code = "store"
    return _ADVICE.get(code, "")


def registration(number):
    """(retry class, meaning) of a registration code; direct.md 2.4."""
    row = REGISTRATION.get(number)
    return (row[0], row[1]) if row else ("later", "unknown code")
