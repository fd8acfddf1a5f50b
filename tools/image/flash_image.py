"""A whole flash image: partition table, NVS and file system where the board's layout puts them.

Bootloader and application are not in it: those regions stay 0xFF, so that the
image is what an emulated board boots from and what a test looks at. A board
gets them from a stock MicroPython image.
"""

import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from tools import boards, partitions
from tools.errors import UserError
from tools.image import config as settings
from tools.image import device_files, littlefs, nvs
from tools.image.identity import Identity, next_generation

NAMESPACE = "aliot"
BURNED, ISSUED = "burned", "issued"
SLOTS = RENEWED, NEXT = "renewed", "next"  # certificates of an X.509 board that came after the burned one


def path_of(name: str) -> str:
    """The path of a record on the file system."""
    return f"/aliot/{name}"


def layout_of(board: str | partitions.Layout) -> partitions.Layout:
    """The `Layout` of a board by its name in boards/; a `Layout` is given back as it is."""
    return board if isinstance(board, partitions.Layout) else boards.load(board).layout


def build(
    board: str | partitions.Layout = "ESP32_GENERIC",
    identity: Identity | None = None,
    *,
    files: Mapping[str, bytes | None] | None = None,
    roots: Iterable[Path | str] = (),
    config: Mapping[str, Any] | None = None,
    generation: int | None = None,
    with_firmware: bool = True,
) -> bytes:
    """The bytes of a board's flash, as long as the flash is.

    `identity`: an `identity.Identity` to burn onto both media, of `generation`
    (by default the time); `files`: {path: bytes} to add to the compiled
    firmware or to put in place of its files, or {path: None} to leave one out;
    `roots`: paths of extra root certificates, DER or PEM; `config`: the dict
    that goes into /config.json. UserError when something does not fit.
    """
    layout = layout_of(board)
    tree: dict[str, bytes | None] = {}
    tree.update(device_files.compile_tree() if with_firmware else {})
    tree.update(files or {})
    tree.update(root_files(roots, tree))
    if config is not None:
        tree[settings.PATH] = settings.encoded(config)
    entries = []
    if identity is not None:
        data = identity.to_record(next_generation() if generation is None else generation)
        tree[path_of(BURNED)] = data
        entries.append(nvs.Entry(NAMESPACE, BURNED, "blob", data))
    return assemble(layout, entries, {path: data for path, data in tree.items() if data is not None})


def assemble(layout: partitions.Layout, entries: Sequence[nvs.Entry], tree: Mapping[str, bytes]) -> bytes:
    """The flash of a layout with these NVS entries and files in it."""
    image = bytearray(b"\xff" * layout.flash_size)
    _place(image, layout.offset, partitions.encode(layout.rows))
    if entries:
        assert layout.nvs
        _place(image, layout.nvs.offset, nvs.write(entries, layout.nvs.size))
    if tree:
        assert layout.vfs
        _place(image, layout.vfs.offset, littlefs.build(tree, layout.vfs.size))
    return bytes(image)


def _place(image, offset, data):
    image[offset : offset + len(data)] = data


def root_files(
    paths: Iterable[Path | str], tree: Mapping[str, bytes | None] | None = None
) -> dict[str, bytes]:
    """{path on the board: DER bytes} of root certificate files, DER or PEM; UserError for one that is none.

    Every certificate of a file with several is there, and files of one name get names of their own, beside what is
    in `tree` {path: bytes} already.
    """
    tree, found = tree or {}, dict[str, bytes]()
    for path in paths:
        for der in certificates(path):
            if der not in (*found.values(), *tree.values()):
                found[_free(Path(path).stem, found.keys() | tree.keys())] = der
    return found


def _free(stem, taken):
    """/roots/STEM.der, or with the first number behind STEM whose path is not taken."""
    numbered = (f"/roots/{stem}-{number}.der" for number in itertools.count(2))
    return next(path for path in itertools.chain([f"/roots/{stem}.der"], numbered) if path not in taken)


def certificates(path: Path | str) -> list[bytes]:
    """The certificates (DER bytes) in a file, one in DER or any number in PEM; UserError when there is none."""
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    labels = re.findall(rb"-----BEGIN ([^-\r\n]*)-----", data)
    other = [label for label in labels if label not in (b"CERTIFICATE", b"X509 CERTIFICATE")]
    if other:
        kind = other[0].decode("ascii", "replace").lower()
        raise UserError(f"{path} holds something else than certificates ({kind}): leave only roots in it")
    try:
        held = x509.load_pem_x509_certificates(data) if labels else [x509.load_der_x509_certificate(data)]
    except ValueError:
        held = []
    if len(held) != max(1, len(labels)):
        raise UserError(f"{path} is not an X.509 certificate, neither DER nor PEM, or it was cut or changed")
    return [certificate.public_bytes(Encoding.DER) for certificate in held]


def layout_in(image: bytes) -> partitions.Layout:
    """The `Layout` of a flash image, from the partition table in it; ValueError when there is none."""
    rows = partitions.decode(image[partitions.OFFSET : partitions.OFFSET + partitions.SIZE])
    partitions.check(rows, len(image))
    return partitions.Layout(len(image), tuple(rows))


def region(image: bytes, partition: partitions.Partition) -> bytes:
    """The bytes of a partition of a flash image."""
    return image[partition.offset : partition.end]
