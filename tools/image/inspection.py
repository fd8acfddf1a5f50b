"""What a flash, NVS or file system image holds, with every secret masked."""

from collections.abc import Iterator, Sequence
from typing import Any

from tools import partitions
from tools.errors import UserError
from tools.firmware import record
from tools.image import flash_image, littlefs, nvs, owner, slots, updates
from tools.image.identity import own, x509
from tools.secrets import mask

_TAG_NAMES = {
    value: name.lower()
    for name, value in vars(record).items()
    if name.isupper()
    and isinstance(value, int)
    and name[0] != "_"
    and name not in ("BURNED", "ISSUED", "VALUE_LIMIT", "RECORD_LIMIT")
}
_TAG_NAMES |= {record.KIND: "way", record.ID2_KEY_TYPE: "id2_type"}  # as an identity's JSON calls them
_BINARY_TAGS = (record.PRIVATE_KEY, record.ID2_KEY)
_SECRET_TAGS = (record.DEVICE_SECRET, record.PRODUCT_SECRET, record.DEVICE_TOKEN)
_NUMBER_TAGS = (record.FOR_GENERATION, record.PORT)
_NAMES = (flash_image.BURNED, flash_image.ISSUED)  # those that are named where there is none, too
_KINDS = {record.BURNED: "burned", record.ISSUED: "issued"}


def look(data: bytes) -> dict[str, Any]:
    """What an image holds, as a dict that may be shown: secrets are masked, file contents left out.

    UserError when it is none of the three kinds.
    """
    try:
        layout = flash_image.layout_in(data)
    except ValueError as error:
        if data[littlefs.BLOCK * 2 :] and data[partitions.OFFSET : partitions.OFFSET + 2] == b"\xaa\x50":
            raise UserError(f"this flash image cannot be read: {error}") from None
        return _look_at_part(data)
    found = {
        "kind": "flash",
        "size": len(data),
        "partitions": [
            {"label": row.label, "kind": row.kind, "offset": row.offset, "size": row.size}
            for row in layout.rows
        ],
    }
    if layout.nvs:
        found["nvs"] = look_at_nvs(flash_image.region(data, layout.nvs))
    held = slots.find(layout.rows, lambda at, size: data[at : at + size])
    found |= look_at_slots(held)
    if layout.vfs:
        found["vfs"] = look_at_vfs(flash_image.region(data, layout.vfs), held)
    return found


def look_at_slots(held: Sequence[slots.Slot]) -> dict[str, Any]:
    """{"slots": what each holds} of a board with two slots for firmware, {} of any other."""
    return {"slots": [str(slot) for slot in held]} if held else {}


def _look_at_part(data):
    if data[8:16] == b"littlefs" or data[littlefs.BLOCK + 8 : littlefs.BLOCK + 16] == b"littlefs":
        return {"kind": "vfs", "size": len(data), "vfs": look_at_vfs(data)}
    if data and len(data) % nvs.PAGE == 0 and any(page.sequence is not None for page in nvs.read(data).pages):
        return {"kind": "nvs", "size": len(data), "nvs": look_at_nvs(data)}
    raise UserError("this is no flash image with a partition table, no NVS partition and no littlefs")


def look_at_nvs(data: bytes) -> dict[str, Any]:
    """An NVS partition as a dict: pages, entries without their values, our records, faults."""
    part = nvs.read(data)
    return {
        "pages": [
            {"page": page.index, "state": page.state, "written": page.written, "erased": page.erased}
            for page in part.pages
        ],
        "entries": [
            {"namespace": e.namespace, "key": e.key, "type": e.type, "size": _size(e)} for e in part.entries
        ],
        "records": _records(lambda name: part.find(flash_image.NAMESPACE, name)),
        "faults": list(part.faults),
        "traces": list(part.traces),
    }


def _size(entry):
    return len(entry.value) if entry.type in ("blob", "string") else int(entry.type[1:]) // 8


def look_at_vfs(data: bytes, held: Sequence[slots.Slot] = ()) -> dict[str, Any]:
    """A file system as a dict: its files with their sizes, and our records. `held`: the slots beside it."""
    try:
        tree = littlefs.read(data)
    except littlefs.Blank:
        return {"state": "blank"}
    except littlefs.Unreadable as error:
        return {"state": "unreadable", "fault": str(error)}
    return {
        "state": "good",
        "files": {path: len(content) for path, content in sorted(tree.items())},
        "records": _records(lambda name: tree.get(flash_image.path_of(name))),
        "updates": [str(one) for one in updates.trees(tree.get, held)],
        "update_keys": updates.trusted(tree),
        "platform_key": updates.PLATFORM in tree,
    }


def _records(find):
    found = {name: look_at_record(find(name)) for name in (*_NAMES, *flash_image.SLOTS)}
    return {name: shown for name, shown in found.items() if shown or name in _NAMES}


def look_at_record(data: object) -> dict[str, Any] | None:
    """A record as a dict with secrets masked; None when there is none; {"fault": ...} when it is damaged."""
    if data is None:
        return None
    if not isinstance(data, bytes):
        return {"fault": "is not a blob"}
    try:
        kind, generation, values = record.decode(data)
    except ValueError as error:
        return {"fault": str(error)}
    fields: dict[str, object] = {}
    for tag, value in sorted(values.items()):
        fields |= _shown(_TAG_NAMES.get(tag, f"tag {tag}"), tag, value)
    return {"kind": _KINDS[kind], "generation": generation, "crc": "good", "fields": fields}


def _shown(name, tag, value):
    """What may be shown of a field, by name: a certificate is several."""
    if tag == record.CERTIFICATE:
        return x509.described(value)
    return {name: _text(tag, value)}


def _text(tag, value):
    if tag == record.KEY_BLOCK:
        return owner.sealed({tag: value})
    if tag in _NUMBER_TAGS:
        return int.from_bytes(value, "little")
    if tag in _SECRET_TAGS:
        return mask(value.decode("ascii", "replace"))
    if tag in _BINARY_TAGS:
        return x509.key_shown(value)
    if tag == record.SUB_PRODUCTS:
        return own.products_shown(value)
    if tag not in _TAG_NAMES:
        return f"{len(value)} bytes"
    return value.decode("utf-8", "backslashreplace")


def describe(found: dict[str, Any]) -> Iterator[str]:
    """The lines that `inspect` prints of what `look` found."""
    yield f"{found['kind']}{'' if ':' in found['kind'] else ' image'}, {found['size'] // 1024} KB"
    for row in found.get("partitions", ()):
        yield f"  {row['label']:<10} {row['kind']:<12} 0x{row['offset']:06x}  {row['size'] // 1024} KB"
    for text in found.get("slots", ()):
        yield f"slot {text}"
    if "nvs" in found:
        yield from _nvs_lines(found["nvs"])
    if "vfs" in found:
        yield from _vfs_lines(found["vfs"])


def _nvs_lines(part):
    states = ", ".join(page["state"] for page in part["pages"])
    yield f"NVS: {len(part['entries'])} entries; pages: {states}"
    for entry in part["entries"]:
        yield f"  {entry['namespace']}/{entry['key']}: {entry['type']}, {entry['size']} bytes"
    for text in part["faults"]:
        yield f"  FAULT: {text}"
    for text in part["traces"]:
        yield f"  trace of a power cut: {text}"
    yield from _record_lines("NVS", part["records"])


def _vfs_lines(part):
    yield f"file system: {part['state']}" + (f" ({part['fault']})" if "fault" in part else "")
    if part["state"] == "good":
        for path, size in part["files"].items():
            yield f"  {path}: {size} bytes"
        yield from _record_lines("file system", part["records"])
        for index, text in enumerate(part["updates"]):
            yield f"{'also there' if index else 'runs'}: {text}"
        if part["updates"]:
            yield "golden: what a cable brought"
        elif "/boot.py" in part["files"]:
            yield "runs: the golden tree, what a cable brought"
        for name in part["update_keys"]:
            yield f"key for updates: {name}"
        if part["platform_key"]:
            yield "the platform's key: no update without its digestsign"


def _record_lines(medium, records):
    for name, found in records.items():
        if found is None:
            yield f"{name} on {medium}: none"
        elif "fault" in found:
            yield f"{name} on {medium}: DAMAGED, {found['fault']}"
        else:
            yield f"{name} on {medium}: generation {found['generation']}, CRC good"
            for field, value in found["fields"].items():
                yield f"  {field}: {value}"
