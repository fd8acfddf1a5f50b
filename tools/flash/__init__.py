"""Flashing: from a blank board to a running one, and again a year later without losing what the board keeps.

port.py      which port, and how it is opened
loader.py    a board in its ROM loader or stub: esptool's Python API behind read, write, erase and MD5
stock.py     MicroPython's stock image: found, verified, and taken apart into what is written
contents.py  what a board holds: partition table, identity, files
files.py     whose each file on a board is: the list of what tools wrote
plan.py      what is to be done about it, and what is refused; pure
steps.py     doing it
backup.py    identities and files that were saved from a board
console.py   following a board's console after the reset
repl.py      mpremote on any port
settings.py  Wi-Fi and other settings for config.json
leaks.py     secrets in a tree that is about to be flashed
"""
