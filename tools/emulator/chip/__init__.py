"""An ESP32 at the end of a serial line: ROM loader, registers, eFuses, flash, DTR and RTS, on RFC 2217.

What is real: the bytes on the line, the flash file, the eFuse file (the one
that `espefuse --virt` uses), NOR semantics, the order of DTR and RTS. What is
not: no Xtensa or RISC-V instruction is run. The upload of esptool's stub is
taken and its protocol answered; "booting" an application starts the host's
MicroPython on the NVS and littlefs of the same flash file.

Written from Espressif's documentation of the serial protocol, RFC 854 and
RFC 2217, and from what esptool and espefuse 5.6 send.
"""
