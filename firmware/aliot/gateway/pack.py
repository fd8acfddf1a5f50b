"""A request for as many things as it holds."""

from micropython import const

_REST = const(40)  # bytes of a request behind its items


def pair(name):
    """Of (ProductKey, DeviceName), for requests without a sign. gateway.md 4, 6.2, 8.3"""
    return '{"productKey":"%s","deviceName":"%s"}' % (name[0], name[1])


def collect(gateway, things, tail, item, most, longest, answer=90, head=b'"params":[', end=b"]", one=None):
    """Put a request on `tail` together; returns whether there is one.

    `item(thing)` is JSON of at most `longest` bytes, `answer` as much as an item of the answer has; the platform takes
    `most` items. `one`, for a request that has a form of its own for a single thing: (its tail, the item's new end).
    """
    room = gateway.payload - _REST
    gateway.batch = batch = []
    alone = bool(gateway.left)
    items = b""
    for thing in [gateway.left.pop(0)] if alone else things:
        if thing not in batch:
            items += (b"," if batch else b"") + item(thing).encode()
            batch.append(thing)
            if (
                alone
                or len(batch) == most
                or len(items) + len(head) + longest > room
                or (len(batch) + 1) * answer > room
            ):
                break
    if one and len(batch) == 1:
        tail = one[0]
        head = b'"params":'
        items = items[:-1]
        end = one[1]
    gateway.tail = tail
    method = '"method":"%s",' % tail.replace("/", ".") if tail[0] == "t" else ""
    gateway.body = b'{"version":"1.0",' + method.encode() + head + items + end
    return bool(batch)
