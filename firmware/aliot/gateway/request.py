"""One request and its answer; gateway.md 2 and 15.6."""

from aliot import alink, feed, pace
from aliot.errors import LinkError
from aliot.gateway.errors import GatewayError
from aliot.gateway.rates import counted
from aliot.gateway.rows import TIMES
from aliot.ticks import Deadline, uptime
from micropython import const

_TRIES = const(3)


def run(gateway):
    """Send the request, again with another id when nobody answers, and wait for the `reply`, a dict.

    GatewayError `gateway.silent` in the end, or the platform's number as long as it is to be left alone; LinkError when
    the connection ends.
    """
    rows = gateway.rows
    device = gateway.device
    client = device.client
    tail = gateway.tail
    login = tail.endswith("login")
    while gateway.calm > uptime():
        if gateway.throttled:
            raise GatewayError(
                gateway.throttled, "asked again in %d s" % ((gateway.calm - uptime()) // 1000 + 1), "later"
            )
        if not login:
            break
        _serve(device, client, gateway.calm - uptime())  # the first logins after power on
    gateway.throttled = 0
    logins = len(gateway.batch) if login else 0
    last = pace.paces(device)
    topic = "%s/%s/%s/%s" % (
        "/ext/session" if tail[0] == "c" else "/sys",
        device.product_key,
        device.device_name,
        tail,
    )
    gateway.reply = None
    for _ in range(_TRIES):
        _serve(device, client, 0)
        while True:
            wait = pace.pause(last, uptime(), logins)
            if not wait:
                break
            _serve(device, client, wait)
        for row in gateway.batch if login else ():
            rows.put(row, TIMES, 2, counted(rows.get(row, TIMES, 2), uptime() // 1000))
        gateway.id = pace.next_id(device)
        gateway.awaited = topic + "_reply"
        try:
            device.publish(topic, gateway.body + (',"id":"%d"}' % gateway.id).encode())
            deadline = Deadline(gateway.timeout)
            while not gateway.reply and deadline.left():
                _serve(device, client, deadline.left())
        finally:
            gateway.awaited = None
            last.append(pace.noted(uptime(), logins))
        if gateway.reply:
            return
    raise GatewayError("silent", tail)


def _serve(device, client, ms):
    if client and device.client is client:
        feed()
        device.serve(ms)
    if not client or device.client is not client:
        raise LinkError("not connected", "offline")


def take(gateway, payload):
    """A message on the topic where the answer is awaited; one to another request is none."""
    reply = alink.parsed(payload)
    if reply and alink.number(reply.get("id")) == gateway.id:
        gateway.reply = reply
