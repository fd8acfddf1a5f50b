"""A board on its network, end to end: Wi-Fi that goes, twins, refused topics, handlers that publish, the watchdog."""

import socket
import threading
import time

import pytest

from host_tests.support.fleet import MICROPYTHON, until

BEGIN = """
from aliot.device import Device
from aliot.wifi import Wifi
device = Device({{"timeout": {timeout}, "watchdog": {watchdog}}}, Wifi("boots", "password"))
"""
SERVE = """
device.start()
while True:
    device.poll(10)
"""


def main(body="", end=SERVE, timeout=15000, watchdog=0):
    return BEGIN.format(timeout=timeout, watchdog=watchdog) + body + end


def offline(code):
    return lambda state: state["aliot"] == "offline" and state["code"] == code


@pytest.fixture
def on(fleet):
    """`on(main, kind)`: a board with that main.py; its power goes at the end."""
    return lambda program, kind="device", **options: fleet.board(kind, main=program, **options)


def test_wifi_goes_and_comes_back(on):
    board = on(main())
    board.access_point("boots", "password")
    board.start()
    board.wait_for("connected")
    for _ in range(2):
        board.access_point()
        board.wait_for(offline("wifi"))
        assert board.wait_for("wifi")["up"] is False
        board.access_point("boots", "password")
        assert board.wait_for("wifi")["up"] is True
        board.wait_for("connected")
    assert not board.power_off().state("registering")


def test_wifi_that_is_not_there_at_first(on):
    board = on(main(), "https")
    board.access_point("somebody else's", "password")
    board.start()
    assert board.wait_for("wifi")["up"] is False
    board.access_point("boots", "password")
    assert board.wait_for("wifi")["up"] is True
    board.wait_for("stored")
    board.wait_for("connected")


def twin(board):
    """(board, the state) when it has seen that another one has its identity, else None."""
    return next(((board, state) for state in list(board.run.states) if state.get("code") == "twin"), None)


@MICROPYTHON
def test_two_boards_with_one_identity_see_that_they_are_twins(on):
    one = on(main())
    image = one.flash.read_bytes()
    other = on(main(), image=image)
    for board in (one, other):
        board.start()
    first, reported = until(
        one, lambda: twin(one) or twin(other), 90
    )  # which of them sees it is a matter of chance
    assert reported["wait"] >= 300 and "burned twice" in reported["advice"]
    left = other if first is one else one
    until(left, lambda: left.run.states[-1]["aliot"] == "connected")  # and now the other one is left alone


def test_a_cleared_client_id_is_asked_again_after_minutes_and_never_registers(on, fleet):
    board = on(main(), "regnwl")
    board.boot(until="connected")
    fleet.cloud.act(board.product_key, board.device_name, "clients", {"clear": True})
    boot = board.boot(until="refused")
    reported = boot.state("refused")
    assert reported["code"] == "mqtt.4" and reported["wait"] >= 300 and not boot.state("registering")
    assert fleet.registrations(board) == 1


def test_after_resetthing_a_board_that_lost_its_flash_is_a_device_again(on, fleet):
    board = on(main(), "https")
    blank = board.flash.read_bytes()
    board.boot(until="connected")
    board.flash.write_bytes(blank)
    reported = board.boot(until="refused").state("refused")
    assert (
        reported["code"] == "register.6289"
        and "ResetThing" in reported["advice"]
        and "restore" in reported["advice"]
    )
    fleet.cloud.act(board.product_key, board.device_name, "reset")
    assert board.boot(until="connected").state("stored")


def test_a_subscription_that_is_refused_does_not_hurt_the_others(on, fleet):
    board = on(
        main(
            'device.subscribe("/a1Somebody1/else/user/get", print)\n'
            'device.subscribe("user/get", lambda topic, payload: print("got", payload))\n'
        )
    )
    board.start()
    reported = board.wait_for("error")
    assert (reported["code"], reported["detail"]) == ("suback", "/a1Somebody1/else/user/get")
    board.wait_for("connected")
    publish(fleet, board, "user/get", "hello")
    board.wait_line("got b'hello'")


def test_a_handler_publishes_and_is_acknowledged_before_its_message_is(on, fleet):
    board = on(
        main("""
def echo(topic, payload):
    device.publish("user/echo", payload, 1)
    print("echoed", payload)
device.subscribe("user/get", echo, 1)
""")
    )
    board.start()
    board.wait_for("connected")
    for number in range(5):
        publish(fleet, board, "user/get", f"message {number}", 1)
    for number in range(5):
        board.wait_line(f"echoed b'message {number}'")
    heard = fleet.cloud.admin("GET", f"/messages?pk={board.product_key}&dn={board.device_name}")
    echoed = [message["payload"] for message in heard if message["topic"].endswith("/user/echo")]
    assert echoed == [f"message {number}" for number in range(5)]


@MICROPYTHON
def test_a_message_that_the_heap_does_not_hold_is_passed_over(on, fleet):
    """Of QoS 1 too: without an acknowledgement it would come for ever."""
    board = on(
        main("""
held = [bytes(4000)]
def fill(size):
    try:
        while True:
            held.append(bytes(size))
    except MemoryError:
        pass
device.watch(lambda state, fields: state == "connected" and fill(6000))
device.subscribe("user/get", lambda topic, payload: print("got", len(payload)), 1)
""")
    )
    board.start()
    board.wait_for("connected")
    publish(fleet, board, "user/get", "x" * 15000, 1)
    publish(fleet, board, "user/get", "hello", 1)
    board.wait_line("got 5")
    assert not [line for line in board.power_off().lines if "15000" in line]


def test_an_application_that_prints_everything_prints_no_secret(on, fleet):
    """Whatever an application shows of its device, also in an error of a handler: masked, in one line."""
    board = on(
        main("""
device.watch(lambda state, fields: print(state, fields))
def show(topic, payload):
    for held in device.__dict__.values():
        print(held, getattr(held, "__dict__", ""))
        for secret in getattr(held, "__dict__", {}).values():
            if hasattr(secret, "reveal") and len(secret.reveal()) == 32:
                raise ValueError("secret is %s, masked %s" % (secret.reveal(), secret))
device.subscribe("user/get", show)
""")
    )
    board.start()
    board.wait_for("connected")
    publish(fleet, board, "user/get", "now")
    reported = board.wait_for("error")
    assert (
        reported["code"] == "handler"
        and "ValueError" in reported["detail"]
        and "masked ****" in reported["detail"]
    )
    secret = fleet.cloud.device(board.product_key, board.device_name, secret=True)["device_secret"]
    assert secret[-4:] in reported["detail"] and secret in board.flash.read_bytes().decode("latin-1")


def test_poll_0_does_not_wait_for_anything(on):
    """A thousand polls of a silent connection come to an end: one that waited only 0.1 s would be late."""
    board = on(
        main(
            end="""
device.start()
while not device.poll(10):
    pass
for number in range(1000):
    device.poll(0)
print("polled")
while True:
    device.poll(10)
"""
        )
    )
    board.start()
    board.wait_for("connected")
    board.wait_line("polled", timeout=60)


@MICROPYTHON
def test_the_watchdog_is_fed_while_a_platform_is_silent(on, cloud):
    """Four connects of 4 s each are longer than the watchdog's 8 s, and no single call is."""
    board = on(main(timeout=4000, watchdog=8000))
    cloud.arm({"where": "mqtt_tls", "when": "handshake", "kind": "half_open", "times": None})
    board.start()
    for _ in range(3):
        board.wait_for(offline("timeout"))
    cloud.admin("DELETE", "/faults")
    board.wait_for("connected", timeout=90)


@MICROPYTHON
def test_an_application_that_stops_polling_is_reset_by_the_watchdog(on):
    board = on(
        main(
            end="device.start()\nwhile not device.poll(10):\n    pass\nwhile True:\n    pass\n", watchdog=8000
        )
    )
    assert board.boot(timeout=90).reason == "watchdog"


def publish(fleet, board, topic, payload, qos=0):
    whole = f"/{board.product_key}/{board.device_name}/{topic}"
    fleet.cloud.admin("POST", "/publish", {"topic": whole, "payload": payload, "qos": qos})


@pytest.fixture
def flood():
    """A server that answers the first bytes of each connection with the same ones without end; `flood(data)`: port."""
    stops = []

    def serve(data):
        listener = socket.create_server(("127.0.0.1", 0))
        stops.append(listener)

        def pour():
            while True:
                try:
                    peer, _ = listener.accept()
                except OSError:
                    return
                with peer:
                    try:
                        peer.recv(1)
                        while True:
                            peer.sendall(data * 200)
                    except OSError:
                        pass

        threading.Thread(target=pour, daemon=True).start()
        return listener.getsockname()[1]

    yield serve
    for listener in stops:
        listener.close()


@MICROPYTHON
def test_a_flood_of_tls_warnings_is_a_timeout_and_no_watchdog(on, flood):
    """An attacker on the way needs no key for that: mbedTLS passes over each warning and reads on."""
    warning = bytes((21, 3, 3, 0, 2, 1, 90))
    board = on(
        main(timeout=4000, watchdog=8000).replace(
            "{", '{"endpoint": {"host": "flood.example", "port": 8883}, ', 1
        ),
        hosts={"flood.example": {8883: ("127.0.0.1", flood(warning))}},
    )
    board.start()
    board.wait_for("connecting")
    began = time.monotonic()
    assert board.wait_for("offline", timeout=30)["code"] == "timeout"
    assert 3.5 < time.monotonic() - began < 7
    board.wait_for("connecting", timeout=30)
    assert board.wait_for("offline", timeout=30)["code"] == "timeout"
