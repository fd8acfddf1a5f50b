"""The switches and times of centres: one switch for each thing that direct.md 6 leaves open."""

from tools.emulator.cloud.setting import Figure, OrderOf, SomeOf, Switch
from tools.host_names import REGIONS

AUTH_CHECKS = ("parameters", "method", "device", "type", "centre", "signature", "disabled")
CODE = range(400, 1_000_000)

SWITCHES = {
    "auth_order": Switch(AUTH_CHECKS, OrderOf(AUTH_CHECKS), "6.1", "order of the checks of /auth/devicename"),
    "auth_surplus": Switch(
        460,
        (460, "signed", "ignored"),
        "6.1",
        "a parameter nobody knows in /auth/devicename: 460, part of what is signed, or not looked at",
    ),
    "auth_method": Switch(460, CODE, "6.1", "code for a signmethod that is not one of the three"),
    "auth_disabled": Switch(6204, CODE, "2.4", "code for a disabled device at /auth/devicename"),
    "auth_elsewhere": Switch(
        5001,
        CODE,
        "6",
        "code for a device that is at home in a centre that this one does not hand it on to",
    ),
    "auth_repeat": Switch(
        "last",
        ("last", "all"),
        "6.1",
        "which iotTokens of a device are good: the last, or all within their life",
    ),
    "auth_activates": Switch(
        False,
        (False, True),
        "6.1",
        "whether /auth/devicename activates a device, or the CONNECT after it",
    ),
    "auth_host": Switch(
        "region",
        ("region", "product"),
        "6.1",
        "the host in answers: `iot-as-mqtt.{region}.aliyuncs.com`, or the product's name before it",
    ),
    "auth_port": Switch(1883, (1883, 443, 8883), "5.1, 6.1", "the port in answers"),
    "routers": Switch(
        ("ap-southeast-1",),
        SomeOf(REGIONS),
        "6.2",
        "centres that hand devices on; the global bootstrap always does",
    ),
    "router_ext": Switch(
        "required",
        ("required", "optional"),
        "6.1",
        "whether /auth/devicename hands a device on only with ext=1",
    ),
    "homed_elsewhere": Switch(
        4,
        (1, 2, 3, 4, 5, "accepted"),
        "1.7",
        "CONNECT at the host of a centre where the device is not at home: CONNACK code, or accepted",
    ),
    "bootstrap_ip": Switch(
        False,
        (False, True),
        "6.2",
        "whether bootstrap also gives an ip: the address that was asked",
    ),
    "bootstrap_region": Switch(
        460,
        CODE,
        "6.2",
        "code of /auth/bootstrap/regionId/{id} for a region that is no centre here",
    ),
    "bootstrap_notice": Switch(
        "params",
        ("params", "top"),
        "6.2",
        "where thing/bootstrap/notify has its cmd",
    ),
}

TIMING = {
    "token_seconds": Figure(7 * 86400, 0.01, False, "6.1", "life of an iotToken, by the cloud's clock"),
}
