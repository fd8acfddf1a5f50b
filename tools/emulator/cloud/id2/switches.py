"""The switches and figures of ID²: what id2.md has as not public, inferred or a choice."""

from tools.emulator.cloud.itls import alerts
from tools.emulator.cloud.setting import Figure, OrderOf, SomeOf, Switch

CODES = (1, 2, 3, 4, 5)
CHECKS = ("product", "identity", "state", "match", "type", "challenge", "hash", "signature", "quota")
EXTENSIONS = ("max_fragment", "server_code", "premaster")

SWITCHES = {
    "itls_suites": Switch(
        ("D004", "D003"),
        SomeOf(("D001", "D002", "D003", "D004")),
        "3.1, 11",
        "cipher suites the server has, the one it likes best first",
    ),
    "itls_max_fragment": Switch(
        "echo",
        ("echo", "omit"),
        "4.4, 11",
        "max_fragment_length in the ServerHello: echoed, and larger records refused, or left out",
    ),
    "itls_session_id": Switch("random", ("random", "none"), "4.4, 11", "session id of the ServerHello"),
    "itls_extension_order": Switch(
        EXTENSIONS,
        OrderOf(EXTENSIONS),
        "4.4, 11",
        "order of the ServerHello's extensions",
    ),
    "itls_hello_verify": Switch(
        "sent",
        ("sent", "left_out"),
        "3, 11",
        "HelloVerifyRequest with a challenge: sent, or the first hello answered with a ServerHello",
    ),
    "itls_hellos": Switch(
        "same",
        ("same", "free"),
        "4.2",
        "a second hello that differs from the first in more than random and code: alert 47, or taken",
    ),
    "itls_version": Switch(
        "ignored",
        ("ignored", "checked"),
        "3.2, 11",
        "an extended version other than 1.2.0: taken, or alert 70",
    ),
    "itls_key_group": Switch(
        "ignored",
        ("ignored", "checked"),
        "3.2, 11",
        "a key group other than 0x10001000: taken, or alert 178",
    ),
    "itls_early_alert": Switch(
        "plain",
        ("plain", "encrypted"),
        "4.8",
        "how an alert goes out after the ServerHello and before the server's Finished",
    ),
    "id2_challenge": Switch(
        "hex",
        ("hex", "printable"),
        "4.3, 11",
        "alphabet of challenges: upper-case hex, or visible ASCII without ~",
    ),
    "id2_order": Switch(CHECKS, OrderOf(CHECKS), "10.4", "order of the checks of a hello"),
    "id2_authentications": Switch(
        "off",
        ("off", alerts.NO_QUOTA, alerts.BUSY, alerts.GENERAL),
        "1.6, 4.8",
        "the eleventh authentication of an identity on a day: let in, or this alert",
    ),
    "id2_fingerprint_again": Switch(
        alerts.SAME_FINGERPRINT,
        (alerts.SAME_FINGERPRINT, "same", "fresh"),
        "1.4, 11",
        "provisioning of a fingerprint that has an identity: this alert, the same identity, or a fresh one",
    ),
    "id2_binding": Switch(
        "first",
        ("first", "moves", "free"),
        "6, 11",
        "an identity with the DeviceName of another, or another than its own: CONNACK bad_login, "
        "the binding moves, or is not looked at",
    ),
    "id2_whitelist_refused": Switch(
        4,
        CODES,
        "6, 11",
        "CONNACK for a DeviceName that a product with a white list does not have",
    ),
    "id2_instance_id": Switch(
        "checked",
        ("checked", "ignored", "required"),
        "6",
        "instanceId of a login: right if sent, not looked at, or right and there",
    ),
}

TIMING = {
    "challenge_seconds": Figure(60, 0, False, "11", "a challenge is good for so long"),
}

LIMITS = {
    "authentications_per_day": Figure(
        10, 1, True, "1.6", "authentications of an identity, if id2_authentications is on"
    ),
    "itls_record_bytes": Figure(1024, 1, True, "4.7", "plaintext in a record of the server, at most 16384"),
}
