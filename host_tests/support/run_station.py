"""A station on boards in files, as a process of its own: argv = a JSON file of what to do."""

import json
import sys

from tools.line.job import Job
from tools.line.ledger.connection import parse_url
from tools.line.ledger.entries import Who
from tools.line.ledger.seal import Key
from tools.line.station import screen, station
from tools.line.station.station_file import Bay
from tools.line.station.worker import Settings


def main(path):
    with open(path) as file:
        table = json.load(file)
    settings = Settings(
        job=Job(
            "lamp",
            table["product"],
            "ESP32_GENERIC",
            endpoint={"region": "cn-shanghai"},
            held={"firmware": b"stock"},
        ),
        url=parse_url(table["url"]),
        key=Key(bytes.fromhex(table["key"])),
        who=Who(table.get("station", "bay-1"), "lin"),
        chip="esp32",
        flash_size=4 << 20,
        once=table.get("once", True),
        poll=0.02,
        settle=0.05,
        patience=table.get("patience", 60),
        wire="host_tests.support.filed_board:" + table.get("wire", "FiledWire"),
    )
    bays = [Bay(name, port=port) for name, port in table["bays"].items()]
    return station.Station(bays, settings, screen.JsonLines(), journal=table.get("journal")).run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
