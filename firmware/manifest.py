"""Freezes aliot into a MicroPython build of your own: FROZEN_MANIFEST=firmware/manifest.py.

What is read as files stays files: copy boot.py to the board, aliot/advice.txt to /aliot, aliot/roots/*.der to
/aliot/roots.
"""

metadata(description="An identity on Alibaba Cloud IoT Platform", version="0.1.0", license="MIT")
include("$(PORT_DIR)/boards/manifest.py")  # the port's own: the file system, asyncio, ntptime
require("umqtt.simple")
package("aliot", opt=1)
