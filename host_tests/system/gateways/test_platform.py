"""What the platform does to sub-devices: disables, deletes, moves them, asks for them, talks to them."""

from host_tests.support.fleet import printed, until
from host_tests.support.gateways import GATEWAYS, SENSORS, GatewayFleet, becomes, done, fresh, names, sensor

FLEET = GatewayFleet
BRING = "gateway.bring_online(sub(*{0}))"
WATCH = """
def on_event(event, name, code):
    report(app="event", event=event, name=name[1] if name else None, code=code)
    if event == "attach":
        gateway.bring_online([name])
gateway.watch(on_event)
def on_set(name, topic, payload):
    asked = json.loads(payload)
    report(app="set", name=name[1], params=asked["params"])
    answer = {"id": asked["id"], "code": 200, "data": {}}
    gateway.publish(name, topic + "_reply", json.dumps(answer))
gateway.on("thing/service/property/set", on_set)
gateway.subscribe("user/get", lambda name, topic, payload: gateway.publish(name, "user/update", payload))
"""


def event(board, what, number, timeout=30):
    """The board's next line about that sub-device that says so."""
    return board.wait_for(
        lambda state: state.get("event") == what and state["device_name"] == sensor(number), timeout
    )


def test_disabled_enabled_deleted_and_asked_for(fleet, cloud):
    one, two, three = fresh(3)
    board = fleet.board(BRING.format([one, two]), prepare=WATCH)
    board.start()
    assert done(board)["online"] == 2
    cloud.act(SENSORS, sensor(one), "disable")
    event(board, "disabled", one)
    cloud.act(SENSORS, sensor(one), "enable")
    event(board, "enabled", one)
    becomes(fleet, one, "online")
    cloud.act(SENSORS, sensor(two), "delete")
    event(board, "deleted", two)
    cloud.act(GATEWAYS, board.device_name, "notify", {"subdevices": names(three)})
    event(board, "attach", three)
    becomes(fleet, three, "online")
    board.power_off()
    board.start()
    state = board.wait_for(lambda state: state["aliot"] == "subdevices", 60)
    assert (state["stored"], state["online"]) == (2, 2)


def test_a_property_is_set_and_a_custom_topic_answered(fleet, cloud):
    (number,) = fresh(1)
    board = fleet.board(BRING.format([number]), prepare=WATCH)
    board.start()
    done(board)
    cloud.admin("POST", f"/devices/{SENSORS}/{sensor(number)}/property", {"params": {"Switch": 1}})
    board.wait_line('"app": "set"')
    assert printed(board, "set")[0] == {"app": "set", "name": sensor(number), "params": {"Switch": 1}}
    cloud.admin(
        "POST", "/publish", {"topic": f"/{SENSORS}/{sensor(number)}/user/get", "payload": "echo", "qos": 0}
    )
    sent = f"/messages?pk={SENSORS}&dn={sensor(number)}&topic=/{SENSORS}/{sensor(number)}/user/update"
    until(board, lambda: cloud.admin("GET", sent))


def test_a_session_that_ended_in_the_cloud(fleet, cloud):
    """After 520 a sub-device logs in again by itself; one that another gateway took (427) is left alone."""
    taken, ended = fresh(2)
    board = fleet.board(BRING.format([taken, ended]), prepare=WATCH)
    board.start()
    done(board)
    cloud.admin("POST", f"/devices/{SENSORS}/{sensor(ended)}/kick", {"code": 520})
    event(board, "session", ended)
    becomes(fleet, ended, "online")
    cloud.admin("POST", f"/devices/{SENSORS}/{sensor(taken)}/kick", {"code": 427})
    assert event(board, "taken", taken)["code"] == 427
    assert board.wait_for("subdevices")["online"] == 1
    assert fleet.status(taken) == "offline" and fleet.asked(board, "sub_login") == [200]


def test_what_had_no_session_is_sent_once_more(fleet, cloud):
    """The notice that a session ended was lost, so the gateway publishes; then the platform says 520."""
    number, other = fresh(2)
    topic = f"/{SENSORS}/{sensor(number)}/user/update"
    on_get = """
gateway.subscribe("user/get", lambda *what: gateway.publish(sub({0})[0], "user/update", "word", 1))
""".format(number)
    board = fleet.board(BRING.format([number, other]), prepare=on_get)
    board.start()
    done(board)
    fault = {"where": "mqtt_tls", "when": "deliver", "kind": "silent"}
    cloud.arm({**fault, "pk": GATEWAYS, "dn": board.device_name})
    cloud.admin("POST", f"/devices/{SENSORS}/{sensor(number)}/kick", {"code": 520})
    cloud.admin(
        "POST", "/publish", {"topic": f"/{SENSORS}/{sensor(other)}/user/get", "payload": "go", "qos": 0}
    )
    event(board, "session", number)
    sent = f"/messages?pk={SENSORS}&dn={sensor(number)}&topic={topic}"
    until(board, lambda: cloud.admin("GET", sent))
    assert len(cloud.admin("GET", sent)) == 1 and fleet.asked(board, "sub_login") == [200]


def test_another_gateway_takes_a_subdevice_over(fleet, cloud):
    (number,) = fresh(1)
    first = fleet.board(BRING.format([number]), prepare=WATCH)
    first.start()
    done(first)
    second = fleet.board(
        """
report(app="refused", failed=refusals(gateway.register(sub({0}))))
report(app="taken", failed=refusals(gateway.register_with_product_secret(sub({0})) + gateway.bring_online(sub({0}))))
""".format(number),
        prepare=WATCH,
    )
    second.start()
    assert done(second)["online"] == 1, second.run.lines
    assert printed(second, "refused")[0]["failed"] == [[sensor(number), 6619]]
    event(first, "detached", number)
    state = first.wait_for(lambda state: state["aliot"] == "subdevices")
    assert (state["attached"], state["online"]) == (0, 0)
    assert (
        fleet.status(number) == "online" and len(fleet.asked(first, "sub_login")) == 1
    )  # and it does not fight
