"""ESP-IDF's NVS on a partition of the flash: namespaces, numbers and blobs, page by page, nothing cached.

Pages are filled one after another; one is always kept free, to copy what is
still good into before a page is erased. New values are written before old
ones are erased, so that a power cut leaves one of them.
"""

import struct

from nvs_page import ANY, BLOB, CHUNK_LIMIT, CORRUPT, DATA, ENTRIES, FREEING, FULL, INDEX, PAGE_FULL, U8, Page

# what the chip's OSError carries
NOT_FOUND = (-0x1102, "ESP_ERR_NVS_NOT_FOUND")
NOT_ENOUGH_SPACE = (-0x1105, "ESP_ERR_NVS_NOT_ENOUGH_SPACE")
INVALID_NAME = (-0x1106, "ESP_ERR_NVS_INVALID_NAME")
KEY_TOO_LONG = (-0x1109, "ESP_ERR_NVS_KEY_TOO_LONG")
INVALID_LENGTH = (-0x110C, "ESP_ERR_NVS_INVALID_LENGTH")
VALUE_TOO_LONG = (-0x110E, "ESP_ERR_NVS_VALUE_TOO_LONG")
FAIL = (-1, "ESP_FAIL")

_SECTOR = 4096


def name16(name):
    """A name as an entry holds it; OSError over 15 bytes."""
    name = name.encode() if isinstance(name, str) else name
    if len(name) > 15:
        raise OSError(*KEY_TOO_LONG)
    return name + b"\0" * (16 - len(name))


def unpack(flash, size, used, free, sequence, names):
    """The `Storage` that was packed."""
    used = [Page(flash, *page) for page in used]
    free = [Page(flash, *page) for page in free]
    return Storage(flash, size, used, free, sequence, names)


class Storage:
    """A mounted partition of `size` bytes; `nvs_boot.mount` makes one.

    used: pages by sequence number, the last one is written to; free: the rest,
    the first one is taken next; names: {namespace: index}. Errors are OSError
    with the chip's number and name.
    """

    def __init__(self, flash, size, used, free, sequence, names):
        self.flash = flash
        self.size = size
        self.used = used
        self.free = free
        self.sequence = sequence
        self.names = names

    def pack(self):
        """All that `unpack` needs: plain data that keeps none of this code alive."""
        used = [page.pack() for page in self.used]
        free = [page.pack() for page in self.free]
        return self.flash, self.size, used, free, self.sequence, self.names

    def namespace(self, name):
        """The index of a namespace, which is written when it is new."""
        key = name16(name)
        if not name:
            raise OSError(*INVALID_NAME)
        if key not in self.names:
            taken = self.names.values()
            index = next((i for i in range(1, 255) if i not in taken), None)
            if index is None:
                raise OSError(*NOT_ENOUGH_SPACE)
            self.append(0, U8, key, bytes((index,)) + b"\xff" * 7)
            self.names[key] = index
        return self.names[key]

    def set_number(self, namespace, kind, key, data):
        """Write 8 bytes of `data` under a key; nothing is written when they are there already."""
        key = name16(key)
        page, old = self.find(namespace, None, key)
        if old and old[1][1] == kind and old[1][24:] == data:
            return
        self.append(namespace, kind, key, data)
        if old:
            self._forget(namespace, key, page)

    def get_number(self, namespace, kind, key):
        """The 8 bytes of data under a key; OSError when it is not there."""
        found = self.find(namespace, kind, name16(key))[1]
        if not found:
            raise OSError(*NOT_FOUND)
        return found[1][24:]

    def set_blob(self, namespace, key, data):
        """Write a blob: its chunks, then the index that makes them count, then the old one is erased."""
        key = name16(key)
        old = self.find(namespace, INDEX, key)[1]
        version = 0
        if old:
            if self._same(namespace, key, old[1], data):
                return
            version = 0 if old[1][29] else 0x80
        self._write_blob(namespace, key, data, version)
        if old:
            self._erase_blob(namespace, key, old[1][29])
            return
        page, first = self.find(namespace, BLOB, key)
        if first:
            page.drop(first[0])

    def get_blob(self, namespace, key, buffer):
        """Read a blob into the bytearray `buffer`; its size, or OSError."""
        key = name16(key)
        old = self.find(namespace, BLOB, key)
        if old[1]:
            return self._get_old_blob(old, buffer)
        index = self.find(namespace, INDEX, key)[1]
        if not index:
            raise OSError(*NOT_FOUND)
        size, count, version = struct.unpack_from("<IBB", index[1], 24)
        if len(buffer) < size:
            raise OSError(*INVALID_LENGTH)
        done = 0
        for chunk in range(version, version + count):
            page, found = self.find(namespace, DATA, key, chunk)
            if not found:
                raise OSError(*FAIL)
            read = page.value(*found, memoryview(buffer)[done:])
            if read is None:
                raise OSError(*NOT_FOUND)
            done += read
        if done != size:
            raise OSError(*FAIL)
        return size

    def erase_key(self, namespace, key):
        """Erase what is under a key; OSError when it is not there."""
        key = name16(key)
        page, found = self.find(namespace, None, key)
        if not found:
            raise OSError(*NOT_FOUND)
        if found[1][1] == INDEX:
            self._erase_blob(namespace, key)
        else:
            page.drop(found[0])

    # --- the work below

    def find(self, namespace, kind, key, chunk=ANY, version=None):
        for page in self.used:
            found = page.find(namespace, kind, key, chunk, version)
            if found:
                return page, found
        return None, None

    def append(self, namespace, kind, key, data):
        page = self.used[-1]
        try:
            page.write(namespace, kind, key, data)
            return
        except OSError as error:
            if error.args[0] != PAGE_FULL:
                raise
        if page.state != FULL:
            page.close(FULL)
        self._new_page()
        try:
            self.used[-1].write(namespace, kind, key, data)
        except OSError as error:
            raise OSError(*NOT_ENOUGH_SPACE) if error.args[0] == PAGE_FULL else error

    def _forget(self, namespace, key, page):
        """Erase the older item under a key; freeing a page may have moved it."""
        found = page.find(namespace, None, key) if page in self.used else None
        if not found:
            page, found = self.find(namespace, None, key)
        page.drop(found[0])

    def _get_old_blob(self, place, buffer):
        page, found = place
        if len(buffer) < struct.unpack_from("<H", found[1], 24)[0]:
            raise OSError(*INVALID_LENGTH)
        read = page.value(*found, memoryview(buffer))
        if read is None:
            raise OSError(*NOT_FOUND)
        return read

    def _same(self, namespace, key, index, data):
        size, count, version = struct.unpack_from("<IBB", index, 24)
        if size != len(data):
            return False
        done = 0
        for chunk in range(version, version + count):
            page, found = self.find(namespace, DATA, key, chunk)
            if not found or not page.holds(*found, data[done:]):
                return False
            done += struct.unpack_from("<H", found[1], 24)[0]
        return done == size

    def _write_blob(self, namespace, key, data, version):
        if len(data) > (min(self.size // _SECTOR - 1, 127)) * CHUNK_LIMIT:
            raise OSError(*VALUE_TOO_LONG)
        pages = []
        try:
            self._write_chunks(namespace, key, data, version, pages)
        except OSError as error:
            # The original counts from 0 here whatever the version, and so can hit chunks of the old value.
            for number, page in enumerate(pages):
                found = page.find(namespace, DATA, key, number)
                if found:
                    page.drop(found[0])
            raise OSError(*NOT_ENOUGH_SPACE) if error.args[0] == PAGE_FULL else error

    def _write_chunks(self, namespace, key, data, version, pages):
        done = 0
        while True:
            page = self.used[-1]
            room = page.room()
            if not pages and room < CHUNK_LIMIT // 10 and (room < len(data) or room == 0):
                if page.state != FULL:
                    page.close(FULL)
                self._new_page()
                if self.used[-1].room() == room:
                    raise OSError(*NOT_ENOUGH_SPACE)
                continue
            if not room:
                raise OSError(*NOT_ENOUGH_SPACE)
            size = min(len(data) - done, room)
            page.write(namespace, DATA, key, data[done : done + size], version + len(pages))
            pages.append(page)
            done += size
            if done < len(data) or room - size < 32:
                if page.state != FULL:
                    page.close(FULL)
                self._new_page()
            if done == len(data):
                index = struct.pack("<IBBH", len(data), len(pages), version, 0xFFFF)
                self.used[-1].write(namespace, INDEX, key, index)
                return

    def _erase_blob(self, namespace, key, version=None):
        page, found = self.find(namespace, INDEX, key, ANY, version)
        if not found:
            raise OSError(*NOT_FOUND)
        index = found[1]
        page.drop(found[0])
        for chunk in range(index[29], index[29] + index[28]):
            page, found = self.find(namespace, DATA, key, chunk)
            if found:
                page.drop(found[0])

    def activate(self):
        if not self.free:
            raise OSError(*NOT_ENOUGH_SPACE)
        page = self.free[0]
        if page.state == CORRUPT:
            page.erase()
        self.free.pop(0)
        self.used.append(page)
        page.sequence = self.sequence
        self.sequence += 1

    def _new_page(self):
        """Take a free page; when it is the last one, empty the page with the least in use into it."""
        if len(self.free) >= 2:
            self.activate()
            return
        emptied = None
        most = 0
        for page in self.used:
            unused = ENTRIES - page.used()
            if unused > most:
                emptied = page
                most = unused
        if not emptied:
            raise OSError(*NOT_ENOUGH_SPACE)
        emptied.close(FREEING)
        self.activate()
        self.empty(emptied)

    def empty(self, page):
        page.copy(self.used[-1])
        page.erase()
        self.used.remove(page)
        self.free.append(page)
