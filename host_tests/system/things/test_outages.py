"""Outages of simulated days, in which a board posts on: what its outbox holds arrives in order, and not too fast."""

import json

from host_tests.support.fleet import printed, until
from host_tests.support.things import ThingFleet

FLEET = ThingFleet
STEP = 3600  # seconds between two posts
MESSAGES = 60  # in the outbox
RATE = 30  # messages a second; application.md 4
CONNECTS = 5  # a minute
OUTAGES = [(20, True), (3 * 24, False)]  # posts; whether the reply to the last one before it is lost
# `served` goes through an outage as soon as the board is offline: a post each STEP, until `left` is 0
THING = """
from aliot.thing import Outbox, Thing
thing = Thing(device, None, Outbox({messages}, 16384))
number = left = 0
connects = []
def seen(state, fields):
    if state == "connecting":
        connects.append(ticks() + ahead)
        if len(connects) > {connects}:
            report(app="minute", ms=connects[-1] - connects.pop(0))
device.watch(seen)
def post():
    global number
    number += 1
    return thing.post(Count=number)
class Days:
    def poll(self, ms):
        global left
        while left and not thing.poll(0):
            post()
            pass_time({step})
            left -= 1
            if not left:
                report(app="over")
        return thing.poll(ms)
def outage(posts):
    global left
    left = posts
served = Days()
""".format(messages=MESSAGES, step=STEP, connects=CONNECTS)


def test_days_without_a_network(fleet, cloud):
    board = fleet.board(THING)
    board.access_point("site", "password")
    board.start()
    board.wait_line('"ready"')
    # the cloud's SNTP server tells the true time, whatever its clock says: the board goes by its own
    fleet.cloud.arm({"where": "ntp", "when": "request", "kind": "wrong_year", "year": 2000, "times": None})
    expected, number, dropped = [], 0, 0
    for posts, unanswered in OUTAGES:
        if unanswered:
            lose_a_reply(fleet, board)
        assert fleet.do(board, "[post(), post()]") == [True, True]
        until(board, lambda: fleet.do(board, "len(thing.outbox)") == unanswered)
        waiting = list(range(number + 3 - unanswered, number + posts + 3))
        expected += [number + 1, number + 2, *waiting[-MESSAGES:], waiting[-1]]
        number = waiting[-1]
        dropped += max(0, len(waiting) - MESSAGES)
        outage(fleet, board, posts)
        until(board, lambda: fleet.do(board, "len(thing.outbox)") == 0, 60)
        assert fleet.do(board, "thing.outbox.dropped") == dropped
        until(board, lambda: fleet.value(board, "Count") == number)
    assert not printed(board, "minute"), board.run.lines[-20:]
    rates(fleet, board)
    arrived(fleet, board, expected)


def lose_a_reply(fleet, board):
    """That of the second post from now."""
    stage = {"where": "mqtt_tls", "when": "reply", "topic": "property/post_reply", "kind": "silent"}
    fleet.cloud.arm({**stage, "pk": board.product_key, "dn": board.device_name, "after": 1})


def outage(fleet, board, posts):
    """The access point is out of reach while the board posts; the cloud's clock goes on as the board's."""
    fleet.do(board, f"outage({posts})")
    board.access_point("elsewhere", "password")
    board.wait_line('"over"')
    fleet.cloud.advance(posts * STEP)
    board.access_point("site", "password")
    board.wait_for("connected")


def rates(fleet, board):
    times = [one["time"] for one in fleet.messages(board, "")]
    assert all(later - first >= 1 for first, later in zip(times, times[RATE:]))


def arrived(fleet, board, expected):
    """The posts came in order, each under one time, and again only under the id that it had."""
    sent = [one for message in fleet.messages(board, "/post") for one in entries(message)]
    assert [value for value, _, _ in sent] == expected
    points = {(time, value) for value, time, _ in sent}
    assert points == set(fleet.points(board, "Count")) and len(points) == len(set(expected))
    assert [value for _, value in sorted(points)] == sorted(set(expected))
    times, last = {value: time for time, value in points}, 0
    for posts, _ in OUTAGES:
        last += 2 + posts
        count = min(posts, MESSAGES) - 1
        apart = times[last] - times[last - count]
        assert abs(apart - count * STEP * 1000) < 60_000, "the times are those of the posts"
    assert len({number for value, _, number in sent if value == 2}) == 1, "sent again under its id"


def entries(message):
    """[(value, time, id of the message)] of a post, or of a history."""
    body = json.loads(message["payload"])
    if isinstance(body["params"], dict):
        found = [body["params"]["Count"]]
    else:
        found = [one["Count"] for one in body["params"][0]["properties"]]
    return [(one["value"], one["time"], body["id"]) for one in found]
