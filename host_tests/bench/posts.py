"""Posts a second of a Thing beside umqtt.simple with hand-made JSON: the same values, each until it is acknowledged.

A Thing sends with QoS 0 and counts a post as arrived when the platform's reply is there. The scripts do the same, and
the plain QoS 1 that people write. Each has the outbox, the model or the rate limit that it has by itself: the limit of
20 messages a second is taken out of a Thing here. Ratios are taken within a round, as in link.py.
"""

import json
from statistics import median

from host_tests.bench.boards import REGISTERED, UNIQUE, BenchFleet, device_module
from host_tests.bench.link import HEAP, of_release, order
from host_tests.bench.report import Bound, Column, Report, Table
from host_tests.bench.umqtt_scripts import POSTS
from tools.image import tsl

ROUNDS, COUNT = 40, 25
THING, MODELLED, SEVERAL = "aliot.thing", "aliot.thing with a model", "aliot.thing, five on their way"
REPLIES, ACKNOWLEDGED = "(a) umqtt.simple, QoS 0 and the platform's reply", "(b) umqtt.simple, QoS 1"
# contender -> (its board, its order but for the count)
CONTENDERS = {
    REPLIES: ("replies", ""),
    THING: ("thing", "1 "),
    ACKNOWLEDGED: ("qos 1", ""),
    SEVERAL: ("thing", "5 "),
    MODELLED: ("model", "1 "),
}
NUMBER = {"type": "int", "specs": {"min": "0", "max": "1000000"}}
MODEL = {
    "properties": [
        {"identifier": name, "accessMode": "r", "dataType": NUMBER} for name in ("Uptime", "FreeMemory")
    ]
}


def report(scale=1.0):
    with BenchFleet.started() as fleet:
        return summary(measure(fleet, max(2, round(ROUNDS * scale))))


def boards(fleet):
    """{name: a board that waits for orders}."""
    table = {"/model.json": tsl.build(json.dumps(MODEL).encode()).data}
    program = {"/main.py": of_release("thing_orders").encode()}
    made = {}
    for name, files in (("thing", program), ("model", program | table)):
        made[name] = fleet.board("unique", files, heap=HEAP, ticks=None)
    for name, qos in (("replies", 0), ("qos 1", 1)):
        topic = f"/sys/{REGISTERED}/{UNIQUE}/thing/event/property/post".encode()
        tail = f"QOS, POST = {qos}, {topic!r}\n{POSTS}"
        made[name] = fleet.bare("one_write", tail, device_module("stopwatch"), heap=HEAP, ticks=None)
    return made


def measure(fleet, rounds, count=COUNT):
    """{contender: posts a second in each round}."""
    made = boards(fleet)
    figures = {name: [] for name in CONTENDERS}
    try:
        for board, words in CONTENDERS.values():
            if not made[board].on:
                made[board].start()
            order(made[board], f"{words}2")  # not counted: the first of everything
        for turn in range(rounds):
            for name in sorted(CONTENDERS, reverse=turn % 2):
                board, words = CONTENDERS[name]
                (took,) = order(made[board], f"{words}{count}")
                figures[name].append(count / took * 1e6)
    finally:
        for board in made.values():
            board.power_off()
    return figures


def summary(figures):
    """The report of what `measure` gave."""
    table = Table(
        f"Posts of two values until each is acknowledged, over verified TLS; {COUNT} a round",
        [
            Column("contender"),
            Column("posts a second", ".0f"),
            Column("it / (a)", ".2f"),
            Column("it / (b)", ".2f"),
        ],
    )
    ratios = {}
    for name, rates in figures.items():
        ratios[name] = [
            median(one / other for one, other in zip(rates, figures[against]))
            for against in (REPLIES, ACKNOWLEDGED)
        ]
        table.add(name, median(rates), *ratios[name])
    return Report(
        [table],
        [
            Bound("posts a second of a Thing, against (a)", ratios[THING][0], 0.4, " times", least=True),
            Bound("with a model, against (a)", ratios[MODELLED][0], 0.3, " times", least=True),
        ],
        [f"{len(figures[THING])} rounds; a Thing has no QoS 1: its acknowledgement is the platform's reply"],
    )
