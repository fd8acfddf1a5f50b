"""What to do about an error, one sentence for each code: read only when one is shown; tools read it too.

Two texts of lines |code|...|advice rather than tables, whose many strings would take three times the heap.
"""

# Registration: the codes of direct.md 2.4; `mqtt` for a refusal that names none, `answer` for any other.
_REGISTRATION = """\
|400|check the ProductKey, DeviceName and ProductSecret that were burned
|401|6287|6600|check that the burned ProductSecret is the one of this ProductKey
|429|nothing to do: the board asks again later
|460|check the burned ProductKey and DeviceName, and the sign method
|500|nothing to do: the board asks again
|5005|check the burned ProductKey and the region
|6100|create the device in the console under exactly this DeviceName, or burn the name that was created
|6204|enable the device in the console
|6250|check the burned ProductKey and the region it was created in
|6280|burn a DeviceName of 4 to 32 letters, digits and - _ @ . :
|6288|switch dynamic registration on for the product in the console
|6289|restore this board's DeviceSecret from the ledger, or reset its registration with ResetThing \
and boot again
|6292|burn hmacsha256, hmacsha1 or hmacmd5 as the sign method
|6619|detach the device from its gateway first
|mqtt|check the ProductSecret, that dynamic registration is on, and that the device exists and was \
never active
|answer|check the endpoint; nothing was stored and the board asks again
"""

_OTHERS = """\
|credential|burn an identity into this board
|store|re-flash the board or replace its flash; the identity stays as it is
|dns|check the board's network and the name server it was given
|connect|check that the network lets the board out to this host and port
|timeout|check the network; the board tries again
|closed|reset|mqtt.3|id2|nothing to do: the board connects again
|tls|check that nothing between the board and the platform breaks TLS open
|tls.memory|the C heap, not Python's, is too small for TLS: connect early and keep one TLS \
connection at a time
|tls.alert|the peer refused our TLS: check the endpoint, and the client certificate if one is burned
|certificate.clock|the clock is the likely cause: let the board reach an SNTP server (UDP port 123)
|certificate.expired|the server's certificate has expired: check the endpoint, and the clock
|certificate.future|the server's certificate is not valid yet: check the endpoint, and the SNTP server's time
|certificate.name|the server is not the one asked for: check host, region and instance
|certificate.root|put a DER certificate there, or remove the file
|endpoint|correct the endpoint in config.json, or burn the identity again
|certificate.untrusted|the server's root is not among the board's: check the endpoint, or add its \
root to /roots
|protocol|mqtt.1|check that the endpoint is the platform's MQTT port
|offline|wait until the device is connected
|twin|another unit connects with the same identity: find the board that was burned twice
|suback|the device may subscribe to its own topics only, 100 at most
|wifi|check the network's name and password in config.json, and that it is 2.4 GHz
|wifi.ssid|put ssid and password of the access point into config.json
|wifi.absent|no access point of this name is in reach: check ssid in config.json, and that it is 2.4 GHz
|wifi.password|the access point refuses: check password in config.json
|wifi.address|the access point gives no answer or no address: check its DHCP server, and how far it is
|wifi.driver|check password in config.json: 8 to 63 characters, or a key of 64 hex digits
|mqtt.2|check the keep alive (30 to 1200 s), the instance and the registration method
|mqtt.4|check region and instance, that the device exists and is enabled, and that its secret is \
the burned one
|mqtt.5|check that the device is enabled and belongs to this instance
"""


def advice(code, text=_OTHERS):
    """One sentence for an error's code, or for the part before its first dot; empty when there is none.

    A way that few boards have brings its own `text`.
    """
    other = code.split(".")[0]
    if other == "register":
        text = _REGISTRATION
        code = code[9:]
        other = "mqtt" if code[:4] == "mqtt" else "answer"
    at = text.find("|" + code + "|")
    if at < 0:
        at = text.find("|" + other + "|")
    end = text.find("\n", at)
    return text[text.rfind("|", at, end) + 1 : end] if at >= 0 else ""
