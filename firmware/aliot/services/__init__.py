"""The platform's services beside the thing model, a module each, imported when it is used.

What is here serves those that have no Alink envelope: the time, the shadow, raw data.
"""

from aliot import feed
from aliot.errors import AliotError, LinkError
from aliot.ticks import Deadline


def ask(device, topic, payload, found, timeout):
    """Publish, and serve the device until the list `found` has something: that.

    AliotError `thing.silent` after `timeout` ms, `thing.handler` from a handler, which cannot wait; LinkError when the
    connection ends.
    """
    client = device.client
    if client and client.busy:
        raise AliotError(topic, "thing.handler", "never")
    found.clear()
    device.publish(topic, payload)
    deadline = Deadline(timeout)
    while not found:
        if device.client is not client:
            raise LinkError("not connected", "offline")
        left = deadline.left()
        if not left:
            raise AliotError(topic, "thing.silent", "later")
        feed()
        device.serve(left)
    return found[0]
