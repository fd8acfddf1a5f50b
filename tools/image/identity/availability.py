"""Which kind of identity exists in which region and edition, by the platform's documents; one table for all tools.

Editions: "legacy", the public instance without an instance id, and "instance",
Enterprise and new public instances, which have one. direct.md 2.1, 4, 5.1 and
10.8, x509.md 1, id2.md 6.
"""

_PUBLIC = {"cn-shanghai", "ap-southeast-1", "ap-northeast-1", "us-west-1", "us-east-1", "eu-central-1"}
_ALL = _PUBLIC | {"cn-beijing", "cn-shenzhen"}
_SHANGHAI = {"cn-shanghai"}
_ID2 = {"cn-shanghai", "ap-southeast-1"}

# kind, method -> (its name, {edition: regions})
TABLE: dict[tuple[str, str | None], tuple[str, dict[str, set[str]]]] = {
    ("device", None): ("a device certificate", {"legacy": _PUBLIC, "instance": _ALL}),
    ("product", "https"): ("registration over HTTPS", {"legacy": _SHANGHAI, "instance": _SHANGHAI}),
    ("product", "mqtt"): ("registration over MQTT", {"legacy": _PUBLIC, "instance": _ALL}),
    ("product", "regnwl"): ("preregistration-free registration", {"instance": {"cn-shanghai", "cn-beijing"}}),
    ("x509", None): ("X.509", {"legacy": _SHANGHAI, "instance": _SHANGHAI}),
    ("id2", None): ("ID²", {"legacy": _ID2, "instance": _ID2 | {"ap-northeast-1"}}),
}
_EDITIONS = {"legacy": "the legacy public instance", "instance": "Enterprise and new public instances"}


def warning(
    kind: str, method: str | None = None, region: str | None = None, instance: str | None = None
) -> str | None:
    """One line when the documents do not have this kind in this region and edition, else None.

    region: None is cn-shanghai; instance: its id, None for the legacy public instance.
    """
    name, editions = TABLE[kind, method]
    edition = "instance" if instance else "legacy"
    region = region or "cn-shanghai"
    if edition not in editions:
        return f"{name} is documented for {_EDITIONS['instance']} only: give an instance id"
    if region not in editions[edition]:
        known = ", ".join(sorted(editions[edition]))
        return f"{name} on {_EDITIONS[edition]} is documented for {known}, not for {region}"
    return None
