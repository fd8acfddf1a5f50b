"""Freezes aliot into a MicroPython build of your own: FROZEN_MANIFEST=firmware/manifest.py.

The roots stay files: copy aliot/roots/*.der to /aliot/roots on the board.
"""

metadata(description="An identity on Alibaba Cloud IoT Platform", version="0.1.0", license="MIT")
include("$(PORT_DIR)/boards/manifest.py")  # the port's own: the file system, asyncio, ntptime
require("umqtt.simple")
package("aliot", opt=1)
