"""Flashing: a blank board becomes a running one, and an old one gets up to date without losing what it keeps.

port.py                which port, and how it is opened
open_board.py          a board in its loader, as every verb begins
loader.py              the loader: esptool's Python API behind read, write, erase and MD5
micropython_images.py  MicroPython's stock image: found, verified, and taken apart into what is written
contents.py            what a board holds: partition table, identity, files
file_list.py           who owns each file on a board: the list of what tools wrote
plan.py                decides what is written and what is refused; pure
flasher.py             carries the plan out
flash_board.py         all of that in one call, for the verb and for the line
backup.py              identities and files that were saved from a board
console.py             follows a board's console after the reset
settings.py            Wi-Fi and other settings for config.json
leaks.py               refuses secrets in files that are about to be flashed
"""
