"""Stands for a QEMU: takes its command line, its console and its monitor, and plays a board behind them.

ALIOT_FAKE_QEMU is a file of console lines to play; an empty one goes on without a word. Without it the emulated
board boots from the flash file, against the cloud whose folder lies beside the machine's.
"""

import json
import os
import socket
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

SSID = "fake"


def main(argv):
    if "--version" in argv:
        return print("QEMU emulator version 0.0.0\nCopyright (c) nobody")
    if argv == ["-machine", "help"]:
        return print(
            "Supported machines are:\nesp32                Espressif ESP32 machine\nnone                 empty machine"
        )
    values = dict(zip(argv, argv[1:]))
    chardev = dict(part.split("=") for part in values["-chardev"].split(",")[1:])
    monitor = socket.create_server(values["-qmp"].split(":")[1].split(",")[0], family=socket.AF_UNIX)
    console, _ = socket.create_server(chardev["path"], family=socket.AF_UNIX).accept()

    def send(text):
        console.sendall(text.encode() + b"\r\n")

    board = None
    if script := os.environ.get("ALIOT_FAKE_QEMU"):
        for line in Path(script).read_text().splitlines():
            if line == "END":
                sys.exit("fake: nothing more to play")
            send(line)
    else:
        board = emulated(send)
    serve(monitor, board, send)


def emulated(send):
    from tools.emulator.board.boot import Board

    here = Path.cwd()
    board = Board(
        here / "flash.bin", cloud=here.parent / "cloud", folder=here / "emulated", memory="1.26", log=send
    )
    board.access_point(SSID)
    board.start(follow=True)
    return board


def serve(monitor, board, send):
    """QMP: a greeting, then an answer to each command; set_link moves the board's access point."""
    link = monitor.accept()[0].makefile("rwb")
    link.write(b'{"QMP": {}}\n')
    link.flush()
    for line in link:
        asked = json.loads(line)
        answer = {"return": {}}
        if asked["execute"] == "set_link":
            up = asked["arguments"]["up"]
            if board:
                board.access_point(SSID if up else None)
            else:
                send(f"link {'up' if up else 'down'}")
        elif asked["execute"] != "qmp_capabilities":
            answer = {
                "error": {
                    "class": "CommandNotFound",
                    "desc": f"The command {asked['execute']} has not been found",
                }
            }
        link.write(b'{"event": "SOMETHING"}\n' + json.dumps(answer).encode() + b"\n")
        link.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
