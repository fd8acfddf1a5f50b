"""The switches, times and limits of OTA, and the key that it adds to a product."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools.emulator.cloud.setting import Figure, SomeOf, Switch
from tools.host_names import REGIONS

if TYPE_CHECKING:
    from tools.toml_table import Table

SWITCHES = {
    # what a device gets
    "ota_push_id": Switch(
        "number", ("number", "text"), "5.3", "id of a push: a number of ms as the live one, or text"
    ),
    "ota_md5": Switch("Md5", ("Md5", "MD5"), "5.3", "signMethod of a package with an MD5 digest"),
    "ota_sha256": Switch(
        "SHA256", ("SHA256", "Sha256"), "5.3", "signMethod of a package with a SHA-256 digest"
    ),
    "ota_request_code": Switch(
        "1000", ("1000", 200), "5.2", "code of the answer to the older `/ota/device/request`"
    ),
    "ota_digestsign_padding": Switch(
        "pkcs1v15", ("pkcs1v15", "pss"), "5.7, 18", "padding of the RSA signature in digestsign"
    ),
    # what it reports
    "ota_step_number": Switch(
        "drop", ("drop", "take"), "5.4", "a step that is a JSON number instead of text: dropped, or taken"
    ),
    "ota_queued_version": Switch(
        "fail",
        ("fail", "keep"),
        "5.8",
        "before the push, a version other than source and target: the task fails, or takes it as its source",
    ),
    # tasks
    "ota_push_again": Switch(
        "pushed",
        ("pushed", "upgrading"),
        "5.8",
        "at a connect a task is pushed again that is pushed, or one that is upgrading as well",
    ),
    "ota_retry_after": Switch(
        "any",
        ("any", "step"),
        "5.8",
        "what is retried: every failure but a timeout or a newer task, or only a negative step",
    ),
    "ota_unknown_version": Switch(
        "left_out",
        ("left_out", "taken"),
        "5.8",
        "devices that never reported a version of the module: no batch has them, or one without source versions",
    ),
    "ota_dynamic_again": Switch(
        "once",
        ("once", "again"),
        "5.8",
        "a dynamic batch gives a device one task, or a new one when it reports a source version again",
    ),
    "ota_verified": Switch(
        "one",
        ("one", "all"),
        "5.8",
        "a package is verified when one device of the verification batch succeeds, or when all did",
    ),
    "ota_quota": Switch(
        "off",
        ("off", "refuse"),
        "5.8",
        "when the upgrades of a month are used up: batches are made all the same, or refused",
    ),
    # MQTT download
    "ota_block_error": Switch(
        "empty",
        ("empty", "json", "silent"),
        "5.6, 18",
        "an error of a block: length, JSON and the CRC of nothing; without that CRC; or no answer",
    ),
    "ota_block_rate": Switch(
        "off", ("off", "drop"), "5.6", "block requests above the figure of a second: answered, or not"
    ),
    "ota_mqtt_regions": Switch(
        ("cn-shanghai", "cn-beijing", "cn-shenzhen"),
        SomeOf(REGIONS),
        "5.6",
        "regions in which a package can be downloaded over MQTT",
    ),
}

TIMING = {
    "ota_url_seconds": Figure(86_400, 1, False, "5.5", "a URL is good for this long after its push"),
}

LIMITS = {
    "ota_packages": Figure(500, 1, True, "5.8", "packages of the instance"),
    "ota_files": Figure(20, 2, True, "5.3", "files of one package"),
    "ota_file_bytes": Figure(1_000_000_000, 1, True, "5.5", "bytes of one file"),
    "ota_mqtt_file_bytes": Figure(
        16 * 1024 * 1024, 1, True, "5.6", "bytes of a file that is downloaded over MQTT"
    ),
    "ota_block_bytes": Figure(
        255 * 1024,
        1,
        True,
        "5.6, 18",
        "bytes of one block over MQTT; below the 256 KB of a message, inferred",
    ),
    "ota_blocks_a_second": Figure(
        10, 1, True, "5.6", "block requests a second of a device, if ota_block_rate is on"
    ),
    "ota_url_characters": Figure(900, 300, True, "5.5", "length that a security-token fills a URL up to"),
    "ota_extra_characters": Figure(4096, 1, True, "5.3", "characters of the text given with a package (Udi)"),
    "ota_source_versions": Figure(10, 1, True, "5.8", "source versions of a batch"),
    "ota_names": Figure(200, 1, True, "5.8", "devices that a batch names"),
    "ota_month_public": Figure(
        10, 1, True, "5.8", "upgrades in a month of a public instance, if ota_quota is on"
    ),
    "ota_month_enterprise": Figure(1000, 1, True, "5.8", "the same of an Enterprise instance"),
}


def read_secure(table: Table, key: str, folder: Path) -> bool | None:
    return table.get(key, bool)


PRODUCT_KEYS: dict[str, Callable[..., Any]] = {"secure_upgrade": read_secure}
