"""What a start does: settings, roots, identity and endpoint out of flash, and the boot line.

Imported for it and dropped; what it leaves behind in the Device holds nothing of this module.
"""

import os
import sys
from hashlib import sha256

import aliot
import machine
import tls
from aliot import __version__, identities, load, record, roots, settings
from aliot.errors import CredentialError
from aliot.names import text
from aliot.wifi import Wifi
from micropython import const

_ROOTS = const(16)  # extra ones at most, of so many bytes each:
_ROOT = const(4096)


def start(device, found):
    """Make `device` ready to connect; CredentialError when nothing is burned, or what cannot be an identity.

    `found` is what the store has (Store.found).
    """
    config, fault = (device.config, None) if device.config is not None else settings.read()
    mac = machine.unique_id()
    shown = {"mac": mac.hex(), "version": __version__}
    roots.extra, shown["roots"], refused = extra_roots()
    if refused:
        shown["roots_refused"] = refused
    chosen = settings.Settings(config, {})
    try:
        chosen = _identify(device, config, mac, shown, *found)
    finally:
        device.state("boot", shown)
        if fault:
            load("rules").report(device, fault)
        for name in chosen.wrong:
            load("rules").report(device, None, name)
        device.config = config = {name: config[name] for name in config if name not in chosen.wrong}
        _apply(device, config, chosen)
        if "aliot/ota/choice" in sys.modules and not load("ota.trial").begin(device):
            aliot.unload("ota.trial")


def _identify(device, config, mac, shown, generation, fields, kept, health):
    """Credential and endpoint of a device; what the boot line says of them. Returns its Settings."""
    shown.update(health)
    if not fields:
        raise CredentialError("nothing is burned: %s" % health)
    shown["generation"] = device.generation = generation
    shown["way"] = text(fields, record.KIND)
    credential = identities.burned(fields, generation, mac, device.store)
    device.product_key = shown["product_key"] = credential.product_key
    device.device_name = shown["device_name"] = credential.device_name
    device.sign_method = text(fields, record.SIGN_METHOD) or "hmacsha256"
    found = settings.Settings(config, fields)
    device.endpoint = found.endpoint(credential)
    if credential.method:
        shown["issued"] = text(kept or {}, record.DEVICE_NAME) == credential.device_name
        if shown["issued"]:
            credential = identities.issued(kept, credential.product_key, credential.device_name)
    device.credential = credential
    return found


def _apply(device, config, found):
    device.keepalive = found.keepalive
    device.timeout = found.timeout
    device.clean = found.clean
    device.ntp = found.ntp
    device.push = found.push
    if not device.network:
        device.network = Wifi(settings.ssid(config), settings.joined(config.get("password", "")))
    if found.watchdog and not aliot.watchdog:
        aliot.watchdog = machine.WDT(timeout=found.watchdog)


def extra_roots():
    """(names of the extra roots to trust, what the boot line says of each, names of those refused).

    What a line says: the name and the first 8 hex digits of the DER's SHA-256.
    """
    trusted = []
    shown = []
    refused = []
    more = 0
    context = None  # of TLS, which says what is a certificate
    try:
        for entry in os.ilistdir(roots.EXTRA[:-1]):
            name = entry[0]
            if not name.endswith(".der"):
                continue
            if len(trusted) + len(refused) >= _ROOTS:
                more += 1
                continue
            context = context or tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
            data = _certificate(roots.EXTRA + name, context)
            if data:
                trusted.append(name)
                shown.append(name + ":" + sha256(data).digest()[:4].hex())
            else:
                refused.append(name)
    except OSError:
        pass
    if more:
        refused.append("%d more" % more)
    return tuple(trusted), shown, refused


def _certificate(path, context):
    """The bytes of a DER file that a TLS context takes for a certificate, None for any other."""
    try:
        with open(path, "rb") as file:
            data = file.read(_ROOT + 1)
        if len(data) > _ROOT or data[:2] != b"\x30\x82" or len(data) != 4 + int.from_bytes(data[2:4], "big"):
            return None  # TLS would take what is followed by something else
        context.load_verify_locations(data)
        return data
    except (OSError, ValueError):
        return None
