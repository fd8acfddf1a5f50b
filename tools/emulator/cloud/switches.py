"""One switch for each thing that the platform's documents leave open.

`SWITCHES` names them with default, what else they may be, and the place in
its page that leaves it open (direct.md, and the page of each folder's subject). They are set in
the `[switches]` table of cloud.toml. `TIMING` and `LIMITS` are the documented
figures, in tables of their own so that tests need not wait and need not send
256 KB.
"""

from tools.emulator.cloud.centres import switches as of_centres
from tools.emulator.cloud.gateway import switches as of_gateways
from tools.emulator.cloud.id2 import switches as of_id2
from tools.emulator.cloud.ota import switches as of_ota
from tools.emulator.cloud.services import switches as of_services
from tools.emulator.cloud.setting import Figure, OrderOf, SomeOf, Switch
from tools.emulator.cloud.thing import switches as of_thing
from tools.emulator.cloud.x509 import switches as of_x509
from tools.host_names import REGIONS

HTTPS_CHECKS = ("parameters", "product", "switch", "method", "signature", "device", "active")
CODES = (1, 2, 3, 4, 5)

SWITCHES = (
    {
        # logging in over MQTT
        "bad_client_id": Switch(
            2, CODES, "9", "CONNACK when the client identifier has no list or lacks a key"
        ),
        "bad_login": Switch(
            4, CODES, "9", "CONNACK for a user name that is not dn&pk, an unknown triple, a wrong password"
        ),
        "unknown_signmethod": Switch(2, CODES, "9", "CONNACK for a signmethod that is not one of the three"),
        "disabled": Switch(4, CODES, "9", "CONNACK for a disabled device"),
        "securemode": Switch(
            "checked",
            ("checked", "ignored"),
            "1.3, 11",
            "whether securemode must fit the transport on a connect that is no registration",
        ),
        "timestamp_minutes": Switch(
            0,
            range(0, 1_000_001),
            "1.2, 10.7, 11",
            "how many minutes old the timestamp of a connect may be; 0: it is not looked at, as clients rely on",
        ),
        "host": Switch(
            "ignored",
            ("ignored", "checked"),
            "1.7",
            "whether a TLS server name of another product or instance is refused (CONNACK bad_login)",
        ),
        "keep_alive_low": Switch(2, (*CODES, "clamp"), "9", "keep alive below 30: CONNACK code, or clamp"),
        "keep_alive_high": Switch(
            "clamp", (*CODES, "clamp"), "9, 10.4", "keep alive above 1200: clamp, or CONNACK code"
        ),
        "mqtt5_public": Switch(
            1, (1, "close"), "9", "protocol level 5 on a public instance: CONNACK 1, or close"
        ),
        "second_connect": Switch(
            "close", ("close", "reset"), "9, 1.8", "how the older socket of a device ends: closed, or reset"
        ),
        "will": Switch(
            "ignored", ("ignored", *CODES), "11", "a CONNECT with a will: will ignored, or CONNACK code"
        ),
        "connect_rate": Switch(
            "off",
            ("off", "close", *CODES),
            "8, 11",
            "the sixth connect of a device in a minute: accepted, closed, or CONNACK code",
        ),
        # registration over MQTT
        "register_refused": Switch(
            4,
            CODES,
            "9",
            "CONNACK for authType register with dynamic registration off, device active or unknown",
        ),
        "regnwl_refused": Switch(
            4,
            CODES,
            "9",
            "CONNACK for authType regnwl with five units active, not Enterprise, or registration off",
        ),
        "connwl_refused": Switch(
            4, CODES, "9", "CONNACK for authType connwl with a wrong token or a cleared ClientID"
        ),
        "registration_securemode": Switch(
            "either", ("either", "2", "-2"), "3, 10.2", "securemode that a registration must carry"
        ),
        "instance_id": Switch(
            "checked",
            ("checked", "ignored", "required"),
            "3, 11",
            "instanceId of a registration: right if sent, not looked at, or right and there",
        ),
        "push_order": Switch(
            "documented", ("documented", "secret_first"), "3", "order of the keys in the registration pushes"
        ),
        "push_qos": Switch(0, (0, 1), "3, 11", "QoS of the registration pushes"),
        "push_retain": Switch(False, (False, True), "3, 11", "retain flag of the registration pushes"),
        "regnwl_topic": Switch(
            "/ext/regnwl",
            ("/ext/regnwl", "/ext/register", "both"),
            "4, 10.1",
            "topic of the preregistration-free push",
        ),
        "connwl_auth_type": Switch(
            "connwl",
            ("connwl", "regnwl", "either"),
            "4, 10.6",
            "the fixed authType of a preregistration-free connect",
        ),
        "regnwl_regions": Switch(
            ("cn-shanghai", "cn-beijing"),
            SomeOf(REGIONS),
            "4, 10.8",
            "regions that have preregistration-free devices",
        ),
        "units_counted": Switch(
            "connect",
            ("connect", "register"),
            "4, 11",
            "when a preregistration-free unit counts: at the first connect of its ClientID, "
            "or at its registration",
        ),
        "repeat_registration": Switch(
            "fresh",
            ("fresh", "once", "same"),
            "2.5, 10.3",
            "before activation: a fresh secret each time, refused after once, "
            "or always the secret made at creation",
        ),
        # registration over HTTPS
        "https_status": Switch(200, range(200, 600), "9, 11", "HTTP status of a request that is refused"),
        "https_unknown_device": Switch(
            6100, range(400, 1_000_000), "9, 11", "code for a DeviceName that the product lacks"
        ),
        "https_disabled_device": Switch(6204, range(400, 1_000_000), "2.4", "code for a disabled device"),
        "https_order": Switch(HTTPS_CHECKS, OrderOf(HTTPS_CHECKS), "9", "order of the checks"),
        # messages
        "foreign_subscribe": Switch(
            "refuse",
            ("refuse", "grant"),
            "9",
            "a foreign topic in SUBSCRIBE: 0x80, or granted and nothing ever delivered",
        ),
        "foreign_publish": Switch(
            "drop",
            ("drop", "close"),
            "9",
            "a PUBLISH to a foreign topic: acknowledged and dropped, or the link closed",
        ),
        "qos2_subscribe": Switch(
            "refuse", ("refuse", "grant_1"), "1.5", "a SUBSCRIBE with QoS 2: 0x80, or QoS 1"
        ),
        "qos2_publish": Switch(
            "close", ("close", "drop"), "1.5", "a PUBLISH with QoS 2: link closed, or dropped"
        ),
        "oversize_publish": Switch(
            "close", ("close", "drop"), "1.5", "a payload above the limit: link closed, or dropped"
        ),
        "retain": Switch(
            "ignored", ("ignored", "close"), "11", "a PUBLISH with retain: flag ignored, or link closed"
        ),
        "subscriptions": Switch(
            "session",
            ("session", "permanent"),
            "1.5",
            "subscriptions end with a clean session, or stay until UNSUBSCRIBE",
        ),
        "implied_unsubscribe": Switch(
            "honoured",
            ("honoured", "ignored"),
            "1.5",
            "an UNSUBSCRIBE of what _ss=1 subscribes by itself: nothing of it comes any more until the next "
            "CONNECT, as official C clients expect, or it has no effect",
        ),
        "replies_need_subscription": Switch(
            True, (True, False), "7", "whether replies need a subscription or _ss=1"
        ),
        "custom_echo": Switch(
            True,
            (True, False),
            "7",
            "whether a device that subscribed to a custom topic gets what it publishes there",
        ),
        "uplink_rate": Switch(
            "off",
            ("off", "drop", "refuse"),
            "8",
            "above 30 QoS 0 or 10 QoS 1 messages a second: taken, dropped without an answer, "
            "or dropped and requests answered with 429",
        ),
    }
    | of_centres.SWITCHES
    | of_gateways.SWITCHES
    | of_id2.SWITCHES
    | of_ota.SWITCHES
    | of_services.SWITCHES
    | of_thing.SWITCHES
    | of_x509.SWITCHES
)

TIMING = (
    {
        "registration_seconds": Figure(
            15, 0.01, False, "3", "a registration connection is closed after this"
        ),
        "connect_seconds": Figure(
            30, 0.01, False, "-", "a connection that has not logged in or asked by then is closed"
        ),
        "keep_alive_factor": Figure(
            1.5, 0.001, False, "1.6", "silence of this many keep-alive intervals ends a link"
        ),
        "keep_alive_check_seconds": Figure(0, 0, False, "1.6", "the check runs this often; 0: to the second"),
        "subscribe_seconds": Figure(
            0, 0, False, "1.5", "a subscription takes effect after this (documented: about 10)"
        ),
        "rrpc_seconds": Figure(8, 0.01, False, "7", "an RRPC waits this long for its answer"),
        "offline_seconds": Figure(
            7 * 86400, 0, False, "1.5", "QoS 1 messages for an offline device are kept this long"
        ),
    }
    | of_centres.TIMING
    | of_id2.TIMING
    | of_ota.TIMING
    | of_services.TIMING
    | of_thing.TIMING
    | of_x509.TIMING
)

LIMITS = (
    {
        "payload_bytes": Figure(256 * 1024, 1, True, "1.5", "payload of a PUBLISH"),
        "topic_bytes": Figure(128, 16, True, "1.5", "length of a topic in UTF-8"),
        "topic_slashes": Figure(7, 1, True, "1.5", "slashes in a custom topic"),
        "subscribe_topics": Figure(8, 1, True, "1.5", "topics in one SUBSCRIBE"),
        "subscriptions": Figure(100, 1, True, "1.5", "subscriptions of a device"),
        "unacknowledged": Figure(100, 1, True, "1.5", "QoS 1 messages on their way to a device"),
        "units": Figure(5, 1, True, "4", "preregistration-free units of one DeviceName"),
        "connects_per_minute": Figure(5, 1, True, "8", "connects of a device, if connect_rate is on"),
        "uplink_qos0": Figure(30, 1, True, "8", "QoS 0 messages a second of a device, if uplink_rate is on"),
        "uplink_qos1": Figure(10, 1, True, "8", "QoS 1 messages a second of a device, if uplink_rate is on"),
    }
    | of_gateways.LIMITS
    | of_id2.LIMITS
    | of_ota.LIMITS
    | of_services.LIMITS
    | of_thing.LIMITS
    | of_x509.LIMITS
)

# key of a [[product]] -> what reads it: (Table, key, folder of cloud.toml) -> the value in `ProductSeed.more`
PRODUCT_KEYS = of_thing.PRODUCT_KEYS | of_ota.PRODUCT_KEYS
