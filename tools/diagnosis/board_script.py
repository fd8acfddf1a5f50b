"""A script for a board, sent over its console: the board connects to the platform as it always does.

The board's state lines show the host how far it came (tools.diagnosis.board). The script calls only what the firmware
documents, since a board's release has other names shortened. It is short, since the board compiles it in its heap.
"""

import json
import time

from aliot.device import Device
from aliot.errors import AliotError

LIMIT = 90  # s for the whole way
PASSED_OVER = ("settings", "suback", "handler")  # faults that end nothing
faults = []


def heard(state, fields):
    """Collect what ends the way: a connection, or a fault; one that the board tries again at once has to come twice."""
    if state == "connected":
        faults.append("connected")
    elif "code" in fields and fields["code"] not in PASSED_OVER:
        faults.append(fields.get("retry", "never"))


device = Device()
device.watch(heard)
try:
    device.start()
    end = time.ticks_add(time.ticks_ms(), LIMIT * 1000)
    while (not faults or faults == ["now"]) and time.ticks_diff(end, time.ticks_ms()) > 0:
        device.poll(100)
    device.stop()
except AliotError as problem:
    state = {"aliot": "error", "code": problem.code, "detail": problem.detail, "advice": problem.advice}
    print(json.dumps(state))
