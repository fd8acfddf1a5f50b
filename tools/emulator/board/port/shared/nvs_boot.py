"""Mounting NVS as nvs_flash_init does, and the recovery from power cuts that belongs to it."""

import struct

import nvs
from nvs_page import (
    ACTIVE,
    ANY,
    BLANK,
    BLOB,
    CORRUPT,
    DATA,
    EMPTY,
    ENTRIES,
    ERASED,
    FREEING,
    INDEX,
    TABLE,
    U8,
    VERSION,
    WRITTEN,
    Page,
    crc,
    sealed,
    variable,
)

NO_FREE_PAGES = 0x110D
NEW_VERSION_FOUND = 0x1110

_SECTOR = 4096


def boot(flash, offset, size):
    """(storage, whether it was erased): what MicroPython's boot makes of the partition at `offset`."""
    try:
        return mount(flash, offset, size), False
    except OSError as error:
        if error.args[0] != NO_FREE_PAGES and error.args[0] != NEW_VERSION_FOUND:
            raise
    for at in range(offset, offset + size, _SECTOR):
        flash.erase(at)
    return mount(flash, offset, size), True


def mount(flash, offset, size):
    """The `nvs.Storage` of a partition; OSError(NO_FREE_PAGES or NEW_VERSION_FOUND) as nvs_flash_init."""
    used = []
    free = []
    for at in range(offset, offset + size, _SECTOR):
        page = Page(flash, at)
        load(page)
        (used if page.live() else free).append(page)
    used.sort(key=lambda page: page.sequence)
    storage = nvs.Storage(flash, size, used, free, used[-1].sequence + 1 if used else 0, {})
    if used:
        _drop_older_twin(used)
        _finish_freeing(storage)
        if not free:
            raise OSError(NO_FREE_PAGES)
    else:
        storage.activate()
    for _, (_, item) in items(used, 0, U8):
        storage.names[item[8:24]] = item[24]
    _drop_orphans(used)
    return storage


def load(page):
    header = page.flash.read(page.base, 32)
    page.state, page.sequence, version = struct.unpack_from("<IIB", header)
    if page.state == BLANK:
        for at in range(0, _SECTOR, 512):
            if page.flash.read(page.base + at, 512) != b"\xff" * 512:
                page.state = CORRUPT
    elif struct.unpack_from("<I", header, 28)[0] != crc(header[4:28]):
        page.state = CORRUPT
    elif version < VERSION:
        raise OSError(NEW_VERSION_FOUND)
    elif page.live():
        page.table[:] = page.flash.read(page.base + TABLE, 32)
        page.next = ENTRIES
        if page.state == ACTIVE:
            _find_end(page)
            _tidy(page, [])
        else:
            _tidy(page, None)
    else:
        page.state = CORRUPT


def _find_end(page):
    """Set `next`; an entry may be half written without its state saying so."""
    page.next = next((i for i in range(ENTRIES) if page.get(i) == EMPTY), ENTRIES)
    while page.next < ENTRIES and page.flash.read(page.at(page.next), 4) != b"\xff\xff\xff\xff":
        page.mark(page.next, page.next + 1, ERASED)
        page.next += 1


def _tidy(page, seen):
    """Drop items that are damaged or not whole; with a list, also the older of two of one name."""
    i = 0
    while i < page.next:
        at = i
        i += 1
        state = page.get(at)
        if state == ERASED or state != WRITTEN and seen is None:
            continue
        item = page.entry(at)
        if state == 1 or not sealed(item):
            page.drop(at)
            continue
        if variable(item[1]):
            i = at + item[2]
            if any(page.get(n) != WRITTEN for n in range(at, i)):
                page.drop(at)
                continue
        if seen is not None:
            _drop_twins(page, seen, item)
            seen.append(crc(_name(item)) & 0x3FFFFFFF)
            seen.append(at)


def _drop_twins(page, seen, item):
    mark = crc(_name(item)) & 0x3FFFFFFF
    for n in range(0, len(seen), 2):
        at = seen[n + 1]
        if seen[n] == mark and page.get(at) == WRITTEN and _name(page.entry(at)) == _name(item):
            page.drop(at)


def _name(item):
    """What makes an item the same as another: namespace, chunk and key."""
    return item[:1] + item[3:4] + item[8:24]


def _drop_older_twin(used):
    """Power may have gone after an item was written and before the older one of its name was erased."""
    last = None
    for _, (_, item) in items(used[-1:], None, None):
        last = item
    if not last:
        return
    for kind in (INDEX, BLOB) if last[1] == INDEX else (last[1],):
        for page in used[:-1]:
            found = page.state != FREEING and page.find(last[0], kind, last[8:24], last[3])
            if found:
                page.drop(found[0])
                return


def _finish_freeing(storage):
    used = storage.used
    page = next((page for page in used if page.state == FREEING), None)
    if not page:
        return
    newest = used[-1]
    if newest.state == ACTIVE:
        newest.erase()
        used.remove(newest)
        storage.free.append(newest)
    storage.activate()
    storage.empty(page)


def items(pages, namespace, kind):
    for page in pages:
        found = page.find(namespace, kind, None)
        while found:
            yield page, found
            start = found[0] + (found[1][2] if variable(found[1][1]) else 1)
            found = page.find(namespace, kind, None, ANY, None, start)


def _drop_orphans(used):
    """Erase chunks that no index claims."""
    whole = [(item[:1] + item[8:24], item[29], item[28]) for _, (_, item) in items(used, None, INDEX)]
    for page, (index, item) in items(used, None, DATA):
        name = item[:1] + item[8:24]
        if not any(n == name and first <= item[3] < first + count for n, first, count in whole):
            page.drop(index)
