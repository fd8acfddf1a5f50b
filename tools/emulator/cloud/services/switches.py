"""The switches, times and limits of the services beside the thing model."""

from tools.emulator.cloud.setting import Figure, Switch

SWITCHES = {
    "shadow_too_large": Switch(
        400, (400, 500), "6", "error code for a message or a shadow that is too large, or nested too deeply"
    ),
    "shadow_empty": Switch(
        "empty", ("empty", 407), "6", "a get where nothing was reported or desired: an empty state, or 407"
    ),
    "shadow_rate": Switch(
        "off", ("off", "drop"), "6", "above the requests a second: answered, or dropped without a word"
    ),
    "shadow_qos": Switch(1, (0, 1), "1, 6", "QoS of what an application's change sends to the device"),
}

TIMING: dict[str, Figure] = {}

LIMITS = {
    "shadow_bytes": Figure(
        16 * 1024, 1, True, "6", "bytes of a message, and of what a shadow holds without its times"
    ),
    "shadow_attributes": Figure(128, 1, True, "6", "attributes reported, and desired (408)"),
    "shadow_depth": Figure(5, 1, True, "6", "objects and arrays in one another below reported and desired"),
    "shadow_requests": Figure(20, 1, True, "6", "requests a second of a device, if shadow_rate is on"),
    "tags": Figure(100, 1, True, "9", "tags of a device (460); as many of domain SYSTEM"),
    "tags_in_message": Figure(200, 1, True, "9", "tags in one message (460)"),
}
