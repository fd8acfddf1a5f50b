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
    "log_when_off": Switch(
        "taken",
        ("taken", "dropped"),
        "11",
        "logs of a device that was asked not to report: kept, or answered and dropped",
    ),
    "upload_full": Switch(
        460, (460, 500), "12", "code for an upload above the files of a device or the bytes of an instance"
    ),
    "upload_rate": Switch(
        "off", ("off", "refuse"), "12", "above the messages a second of uploads: taken, or 78127"
    ),
    "job_end_notified": Switch(
        True, (True, False), "13", "whether a device is notified of a task that was cancelled or removed"
    ),
    "broadcast_qos": Switch(0, (0, 1), "13", "QoS of broadcasts"),
}

TIMING = {
    "config_url_seconds": Figure(
        30 * 60, 1, False, "10", "the address of a configuration is good for this long"
    ),
    "config_push_seconds": Figure(
        3600, 0, False, "10", "a configuration goes to all devices of a product every so often at most"
    ),
    "log_seconds": Figure(
        7 * 86400, 1, False, "11", "logs are kept this long (the figure is the emulator's)"
    ),
    "job_url_seconds": Figure(3600, 1, False, "13", "the address of a job's file is good for this long"),
    "broadcast_seconds": Figure(
        60, 0, False, "13", "a broadcast goes to a product's devices every so often at most"
    ),
    "broadcast_topic_seconds": Figure(1, 0, False, "13", "the same to one topic"),
}

LIMITS = {
    "shadow_bytes": Figure(
        16 * 1024, 1, True, "6", "bytes of a message, and of what a shadow holds without its times"
    ),
    "shadow_attributes": Figure(128, 1, True, "6", "attributes reported, and desired (408)"),
    "shadow_depth": Figure(5, 1, True, "6", "objects and arrays in one another below reported and desired"),
    "shadow_requests": Figure(20, 1, True, "6", "requests a second of a device, if shadow_rate is on"),
    "tags": Figure(100, 1, True, "9", "tags of a device (460); as many of domain SYSTEM"),
    "tags_in_message": Figure(200, 1, True, "9", "tags in one message (460)"),
    "config_bytes": Figure(64 * 1024, 1, True, "10", "bytes of a configuration"),
    "config_versions": Figure(5, 1, True, "10", "versions of a configuration that are kept"),
    "log_entries": Figure(40, 1, True, "11", "entries in one message (460)"),
    "log_bytes": Figure(4096, 1, True, "11", "bytes of one logContent (460); as official clients have it"),
    "upload_bytes": Figure(16 * 1024 * 1024, 1, True, "12", "bytes of a file (78117)"),
    "upload_block": Figure(128 * 1024, 1, True, "12", "bytes of a block (78118)"),
    "upload_block_low": Figure(256, 0, True, "12", "bytes of a block that is not the last (78120)"),
    "upload_files": Figure(1000, 1, True, "12", "files of a device"),
    "upload_bytes_of_all": Figure(10**9, 1, True, "12", "bytes of all files of the instance"),
    "upload_messages": Figure(
        20, 1, True, "12", "messages a second of a device, if upload_rate is on; inferred"
    ),
    "job_list": Figure(10, 1, True, "13", "tasks in one list, as many as official clients read"),
    "broadcast_bytes": Figure(64 * 1024, 1, True, "13", "bytes of a broadcast"),
    "broadcast_devices": Figure(1000, 1, True, "13", "devices that get one broadcast to a topic"),
}
