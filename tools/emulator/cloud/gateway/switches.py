"""The switches and limits of gateways: one switch for each row of gateway.md that is in doubt."""

from tools.emulator.cloud.setting import Figure, OrderOf, Switch

REGISTER = ("product", "switch", "self", "device", "bound")
PROXY = ("method", "sign", "switch", "device")
TOPOLOGY = ("self", "device", "disabled", "sign", "count")
LOGIN = ("rate", "device", "deleted", "disabled", "attached", "sign", "count")
NOTICES = ("notice", "error", "change")

SWITCHES = {
    "alink_method": Switch(
        "ignored",
        ("ignored", "required"),
        "2",
        "a /sys request without method: taken, or refused with 6450",
    ),
    "unknown_request": Switch(
        6203,
        (6203, "silent"),
        "4, 13",
        "a gateway's request on a topic nobody knows: 6203, or no answer",
    ),
    "system_topics": Switch(
        "either",
        ("either", "own", "gateway"),
        "2, 12.1",
        "whose `_ss=1` subscribes a sub-device's system topics: that in its login's clientId, "
        "that of the gateway, or either",
    ),
    "register_order": Switch(REGISTER, OrderOf(REGISTER), "14", "order of the checks of sub/register"),
    "register_bound": Switch(
        6619,
        (6619, "omit"),
        "4, 16",
        "sub/register of a sub-device of another gateway: refused, or left out of data",
    ),
    "register_mixed": Switch(
        "partial",
        ("partial", "refuse"),
        "4",
        "sub/register of which some fail: those that worked, or nothing and the first code",
    ),
    "proxy_order": Switch(PROXY, OrderOf(PROXY), "14", "order of the checks of product_register"),
    "proxy_failures": Switch(
        "items",
        ("items", "request"),
        "5",
        "product_register of which some fail: items in failures, or the first code for all",
    ),
    "proxy_message": Switch(True, (True, False), "5", "whether errorDetail has a message"),
    "proxy_secret": Switch(
        "keep",
        ("keep", "fresh"),
        "14",
        "what product_register gives out: the DeviceSecret there is, or a fresh one",
    ),
    "proxy_creates": Switch(False, (False, True), "5", "whether product_register creates unknown devices"),
    "subdevice_method": Switch(
        460,
        (460, 6292),
        "6.1",
        "a sign method that is not one of the three, plain Sha256 among them",
    ),
    "topology_order": Switch(TOPOLOGY, OrderOf(TOPOLOGY), "14", "order of the checks of topo/add"),
    "topology_mixed": Switch(
        "refuse",
        ("refuse", "partial"),
        "6.1",
        "topo/add or topo/delete of which some fail: nothing and the first code, or the others",
    ),
    "topology_data": Switch(
        "pairs",
        ("pairs", "empty"),
        "6.1",
        "data of a good topo/add and topo/delete: the pairs, or {}",
    ),
    "attach_again": Switch(200, (200, 6251), "6.1", "topo/add of what is attached here already"),
    "attach_elsewhere": Switch(
        "move",
        ("move", 6619),
        "6.1",
        "topo/add of what another gateway has: it moves, or stays there",
    ),
    "moved_session": Switch(
        "ends",
        ("ends", "stays"),
        "6.1, 14",
        "the session at the old gateway: ends when it moves (6401), or at the next login (427)",
    ),
    "own_changes": Switch(
        False,
        (False, True),
        "7",
        "whether a gateway gets topo/change for its own requests",
    ),
    "login_order": Switch(LOGIN, OrderOf(LOGIN), "14", "order of the checks of a login"),
    "login_client_id": Switch(
        "required",
        ("required", "optional"),
        "8.1",
        "a login without clientId: 460, or taken",
    ),
    "login_disabled": Switch(522, (522, 6204), "8.4, 16", "login of a disabled sub-device"),
    "login_activates": Switch(True, (True, False), "16", "whether the first login activates a sub-device"),
    "login_qos1": Switch(
        "accept",
        ("accept", "drop"),
        "8.1",
        "a login or logout that is not QoS 0: taken, or dropped without an answer",
    ),
    "login_rate": Switch(
        "off",
        ("off", "refuse", "drop"),
        "12",
        "above 200 logins a second of a gateway: taken, refused with 429, or dropped",
    ),
    "clean_session_missing": Switch(True, (True, False), "8.1", "what a login without cleanSession means"),
    "subdevice_qos1": Switch("accept", ("accept", "drop"), "11", "a QoS 1 message of a sub-device"),
    "taken_over": Switch(427, (427, 527), "9, 16", "code for a session that another login has ended"),
    "error_notices": Switch(
        "subscribed",
        ("subscribed", "ext"),
        "9",
        "/ext/error: by SUBSCRIBE, or by `_ss=1` and bit 1 of `ext`; or never without the bit",
    ),
    "error_data": Switch(
        True,
        (True, False),
        "9",
        "whether /ext/error has data with the sub-device's names",
    ),
    "notice_order": Switch(
        NOTICES,
        OrderOf(NOTICES),
        "10",
        "order of thing/disable or thing/delete, /ext/error and topo/change",
    ),
    "notice_qos": Switch(0, (0, 1), "7, 9", "QoS of topo/change, topo/add/notify and /ext/error"),
    "unregister": Switch(
        "removes",
        ("removes", "silent"),
        "4",
        "sub/unregister: removes the device, or nothing",
    ),
}

LIMITS = {
    "subdevices": Figure(1500, 1, True, "12", "sub-devices of a gateway: attached (6400), online (428)"),
    "register_items": Figure(30, 1, True, "4", "items of one sub/register"),
    "proxy_items": Figure(30, 1, True, "5", "items of one product_register"),
    "topology_items": Figure(30, 1, True, "6", "items of topo/add, topo/delete, list/found, sub/unregister"),
    "login_items": Figure(50, 1, True, "8.2", "items of one batch_login or batch_logout"),
    "logins_per_minute": Figure(5, 1, True, "8.4", "logins of one sub-device in a minute (429)"),
    "logins_per_second": Figure(200, 1, True, "12", "logins of a gateway in a second, if login_rate is on"),
    "pack_subdevices": Figure(20, 1, True, "11", "sub-devices in one property/pack/post (6357)"),
    "pack_properties": Figure(200, 1, True, "11", "properties in one property/pack/post (6106)"),
    "pack_events": Figure(200, 1, True, "11", "events in one property/pack/post (6356)"),
}
