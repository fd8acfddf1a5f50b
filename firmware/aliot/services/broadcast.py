"""Messages to many devices of a product at once; application.md 13.

    broadcast.on(device, handler)                   those to all devices that are online
    broadcast.on(device, handler, "news")           those to the subscribers of a name

handler(payload) gets bytes. One that is larger than the client's limit (16 KB) is dropped, as any message is. After
device.start().
"""


def on(device, handler, name=None):
    """Give the broadcasts to all devices, or those of a `name`, to `handler`."""

    def heard(topic, payload):
        handler(payload)

    if name:
        device.subscribe("/broadcast/%s/%s" % (device.product_key, name), heard)
    else:
        device.on("broadcast/request/+", heard)  # needs no SUBSCRIBE
