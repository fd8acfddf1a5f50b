"""What lies on a board, and the golden files that a verb's output is compared with."""

import os
import re
from pathlib import Path
from types import SimpleNamespace

from tools import boards
from tools.flash import file_list
from tools.image import flash_image, littlefs

GOLDEN = Path(__file__).parent / "golden"
LAYOUT = boards.load("ESP32_GENERIC").layout


def _image(board):
    return board.nor.read(0, board.nor.size)


def _files(board):
    """{path: bytes} of a board's files, without the list of them."""
    tree = littlefs.read(flash_image.region(_image(board), LAYOUT.vfs))
    return {path: data for path, data in tree.items() if path != file_list.LIST}


def _golden(name, text):
    """Compare with host_tests/chip/golden; ALIOT_GOLDEN=new writes it."""
    text = re.sub(r"rfc2217://127.0.0.1:\d+", "PORT", text)
    text = re.sub(r"generation \d+", "generation N", text)
    text = re.sub(r"\d+\.\d s after", "N s after", text)
    text = re.sub(
        r"(?:^  console: (\w+).*\n)(?:  console: \1 .*\n)*",
        r"  console: \1 (...)\n",
        text,
        flags=re.MULTILINE,
    )
    text = re.sub(r"/[^' ]+/backups/[^' ]+\.identity", "FILE", text)
    text = re.sub(r"(new|written|removed), \d+ (files|unchanged)", r"\1, N \2", text)
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("ALIOT_GOLDEN") == "new":
        path.write_text(text)
    assert text == path.read_text()


def _folder(path, texts):
    """A folder of an application, {name: text}."""
    for name, text in texts.items():
        file = path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return path


def _found(*names):
    return lambda: [
        SimpleNamespace(device=name, vid=0x10C4, pid=0xEA60, description="CP2102N") for name in names
    ]
