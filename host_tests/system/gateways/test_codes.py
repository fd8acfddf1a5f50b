"""Every code that the platform may answer with reaches the application and the sub-device's state."""

from host_tests.support.fleet import printed
from host_tests.support.gateways import GATEWAYS, GatewayFleet, done, fresh

FLEET = GatewayFleet
REGISTER = (460, 401, 5005, 6288, 6100, 6619, 6402, 6203, 6292, 500, 5244, 6450)
ATTACH = (460, 401, 6402, 6100, 6204, 6400, 6203, 6619, 500)
LOGIN = {
    460: "refused",
    6401: "registered",
    6100: "refused",
    521: "unknown",
    522: "disabled",
    6204: "disabled",
    6287: "refused",
    500: "attached",
}
STEPS = """
numbers = {numbers}
codes = [refusals(gateway.register(sub(numbers[0]))) for _ in range({register})]
report(app="register", codes=codes)
gateway.bring_online(sub(numbers[0]))
assert not gateway.register(sub(*numbers))
report(app="attach", codes=[refusals(gateway.attach(sub(numbers[1]))) for _ in range({attach})])
assert not gateway.attach(sub(*numbers))
for number in numbers[1:]:
    failed = refusals(gateway.login(sub(number)))
    report(app="login", code=failed[0][1], state=gateway.state_of(sub(number)[0]))
gateway.logout(sub(numbers[0]))
report(app="logout", failed=refusals(gateway.logout(sub(numbers[0]))))
"""


def test_every_code(fleet, cloud):
    numbers = fresh(1 + len(LOGIN))
    board = fleet.board(STEPS.format(numbers=numbers, register=len(REGISTER), attach=len(ATTACH)))
    for stage, codes in (("sub_register", REGISTER), ("topo_add", (0, *ATTACH)), ("sub_login", (0, *LOGIN))):
        # the first of each makes the one sub-device that has to be online
        for code in codes:
            fault = {"where": "mqtt_tls", "when": stage, "dn": board.device_name}
            cloud.arm(
                {**fault, "kind": "refuse", "code": code} if code else {**fault, "kind": "delay", "ms": 1}
            )
    cloud.arm(
        {"where": "mqtt_tls", "when": "sub_logout", "kind": "refuse", "code": 520, "dn": board.device_name}
    )
    board.start()
    done(board)
    assert [code[0][1] for code in printed(board, "register")[0]["codes"]] == list(REGISTER)
    assert [code[0][1] for code in printed(board, "attach")[0]["codes"]] == list(ATTACH)
    assert [(line["code"], line["state"]) for line in printed(board, "login")] == list(LOGIN.items())
    assert printed(board, "logout")[0]["failed"] == []


def test_throttled(fleet, cloud):
    board = fleet.board(
        "report(app='one', failed=refusals(gateway.register(sub(*{0}))))\ngateway.register(sub(*{0}))".format(
            fresh(2)
        )
    )
    cloud.arm(
        {"where": "mqtt_tls", "when": "sub_register", "kind": "refuse", "code": 429, "dn": board.device_name}
    )
    board.start()
    done(board)
    assert [one[1] for one in printed(board, "one")[0]["failed"]] == [429, 429]
    failed = printed(board, "failed")[0]
    assert failed["code"] == "gateway.429" and "a minute" in failed["advice"]
    assert fleet.asked(board, "sub_register") == [429]


def test_a_product_whose_registration_is_off_and_one_that_nobody_burned(fleet):
    board = fleet.board(
        """
report(app="off", failed=refusals(gateway.register([("a1SwitchOff", "sensor-off")] + sub({0}))))
gateway.register_with_product_secret([("a1Unknown01", "sensor-01")])
""".format(*fresh(1))
    )
    board.start()
    assert done(board)["stored"] == 1
    assert printed(board, "off")[0]["failed"] == [["sensor-off", 6288]]
    assert printed(board, "failed")[0]["code"] == "gateway.product"


def test_a_secret_that_is_void_is_told_with_its_way_out(fleet, cloud):
    (number,) = fresh(1)
    board = fleet.board(
        """
name = sub({0})[0]
gateway.bring_online([name])
gateway.logout([name])
gateway.keep(name, "x" * 32)
report(app="void", failed=refusals(gateway.login([name])))
gateway.forget([name])
report(app="mended", failed=refusals(gateway.bring_online([name])))
""".format(number)
    )
    board.start()
    assert done(board)["online"] == 1, board.run.lines
    assert printed(board, "void")[0]["failed"] == [[f"sensor-{number:04}", 6287]]
    assert (
        printed(board, "mended")[0]["failed"] == []
        and cloud.device(GATEWAYS, board.device_name)["status"] == "online"
    )
