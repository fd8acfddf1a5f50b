"""How the fields of an identity are spelled, in the headers of a CSV and in JSON.

They are compared without case, width, blanks, quotes, brackets, '_' and '-'. The first spelling of each is what the
console's own download says; the others are the same words as its Chinese and English pages spell them, and what
spreadsheets and factory tools in the field write.
"""

import re
import unicodedata

SPELLINGS = {
    "product_key": (
        "ProductKey",
        "Product Key",
        "product_key",
        "ProductKey（产品标识）",
        "产品Key",
        "产品标识",
        "产品ProductKey",
        "产品证书ProductKey",
        "PK",
    ),
    "device_name": (
        "DeviceName",
        "Device Name",
        "device_name",
        "设备名称",
        "设备名",
        "设备DeviceName",
        "DeviceName（设备名称）",
        "设备标识",
        "DN",
    ),
    "device_secret": (
        "DeviceSecret",
        "Device Secret",
        "device_secret",
        "设备密钥",
        "设备秘钥",
        "设备DeviceSecret",
        "DeviceSecret（设备密钥）",
        "设备证书DeviceSecret",
        "DS",
    ),
    "product_secret": (
        "ProductSecret",
        "Product Secret",
        "product_secret",
        "产品密钥",
        "产品秘钥",
        "产品ProductSecret",
        "ProductSecret（产品密钥）",
        "PS",
    ),
    # ours: no console writes these
    "certificate": ("Certificate", "CertificateFile", "Cert", "证书", "设备证书"),
    "private_key": ("PrivateKey", "PrivateKeyFile", "KeyFile", "私钥", "设备私钥"),
    "id2": ("ID", "ID2", "ID2 ID"),
    "id2_key": ("Key", "ID2 Key", "密钥", "ID2密钥"),
    "id2_type": ("KeyType", "ID2 KeyType", "ID2 Type", "密钥类型"),
}


def plain(text: str) -> str:
    """A spelling without case, width, blanks and punctuation."""
    text = unicodedata.normalize("NFKC", text).casefold()
    return re.sub(r"[\s_\-'\"`()\[\].:*\ufeff\u200b]", "", text)


_FIELDS = {plain(spelling): name for name, spellings in SPELLINGS.items() for spelling in spellings}


def field(text: str) -> str | None:
    """The field that a header or a name in JSON spells, or None."""
    return _FIELDS.get(plain(text))


_BLANK_LETTERS = "\u034f\u115f\u1160\u3164\uffa0"  # letters and marks that show nothing


def _unseen(char):
    return not char.isprintable() or char in _BLANK_LETTERS or "\ufe00" <= char <= "\ufe0f"


def shown(text: str) -> str:
    """`text` with each invisible character written as <U+...>."""
    return "".join(f"<U+{ord(char):04X}>" if _unseen(char) else char for char in text)


def invisible(text: str) -> str | None:
    """A description of the first invisible character in `text`, or None."""
    for char in filter(_unseen, text):
        return f"the invisible character U+{ord(char):04X} ({unicodedata.name(char, 'a control character').lower()})"
    return None
