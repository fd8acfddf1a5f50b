"""A board's flash in memory, and as much of a boot as the identity needs: NVS, littlefs, the store."""

import sys
import types

from host_tests.support.nor import Nor, nvs, nvs_boot
from tools.firmware import record
from tools.image import flash_image, littlefs

sys.modules.setdefault("esp32", types.ModuleType("esp32"))  # the store is given its media, it needs no chip

from aliot import identities, store  # noqa: E402
from aliot.credentials import DeviceCertificate  # noqa: E402

MAC = "24:0a:c4:00:00:01"


class BoardFlash(Nor):
    """What a burner sees: whole sectors, an erase or a write at a time."""

    def erase(self, offset, size=4096):
        for at in range(offset, offset + size, 4096):
            super().erase(at)

    def copy(self):
        return BoardFlash(self.data)

    @property
    def layout(self):
        return flash_image.layout_in(bytes(self.data))


class _Nvs:
    NAME = "nvs"

    def __init__(self, board):
        self.storage, self.erased = nvs_boot.boot(board, board.layout.nvs.offset, board.layout.nvs.size)
        self.space = self.storage.namespace("aliot")

    def read(self, key):
        buffer = bytearray(8000)
        try:
            return bytes(buffer[: self.storage.get_blob(self.space, key, buffer)])
        except OSError as error:
            if error.args == nvs.NOT_FOUND:
                return None
            raise

    def write(self, key, data):
        self.storage.set_blob(self.space, key, data)


class _Files:
    NAME = "littlefs"

    def __init__(self, board):
        self.board = board

    def _image(self):
        return flash_image.region(bytes(self.board.data), self.board.layout.vfs)

    def read(self, key):
        return littlefs.read_files(self._image(), [flash_image.path_of(key)]).get(flash_image.path_of(key))

    def write(self, key, data):
        image = littlefs.update(self._image(), {flash_image.path_of(key): data})
        begin = self.board.layout.vfs.offset
        self.board.data[begin : begin + len(image)] = image


class Booted:
    """What the firmware's store finds after a boot: `fields`, `generation`, `issued`, or None."""

    def __init__(self, board):
        if littlefs.is_blank(flash_image.region(bytes(board.data), board.layout.vfs)):
            begin = board.layout.vfs.offset  # MicroPython formats it
            board.data[begin:] = littlefs.build({"/boot.py": b"#"}, board.layout.vfs.size)
        # a board that cannot mount it never starts
        littlefs.read(flash_image.region(bytes(board.data), board.layout.vfs))
        self.store = store.Store((_Nvs(board), _Files(board)))
        self.issued = None
        self.generation, self.fields = self.store.burned()
        if not self.fields:
            return
        mac = bytes.fromhex(MAC.replace(":", ""))
        self.credential = identities.burned(self.fields, self.generation, mac, self.store)
        self._take(self.store.issued(self.generation, self.credential))

    def register(self, secret):
        """As after a registration: the issued secret goes into flash."""
        made = DeviceCertificate(self.credential.product_key, self.credential.device_name, secret)
        self._take(self.store.save(self.generation, self.credential, made))

    def _take(self, fields):
        self.issued = fields and identities.issued(
            fields, self.credential.product_key, self.credential.device_name
        )

    @property
    def secret(self):
        return self.issued and self.issued.fields()[record.DEVICE_SECRET].decode()
