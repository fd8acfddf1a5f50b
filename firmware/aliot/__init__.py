"""An identity on Alibaba Cloud IoT Platform for ESP32 boards running MicroPython."""

__version__ = "0.1.0"
