"""The whole board: `python -m tools test firmware/examples/thermostat`."""

POST, REPLY = "thing/event/property/post", "thing/service/property/set_reply"


def test_the_board_comes_online_and_says_what_it_does(cloud, board):
    board.wait_for("connected")
    assert cloud.wait_for(POST).json()["params"] == {"Temperature": 19, "Target": 18, "Heating": 0}


def test_the_cloud_sets_a_target(cloud, board):
    board.wait_for("connected")
    cloud.wait_for(POST)
    cloud.set_properties({"Target": 21})
    assert cloud.wait_for(REPLY).json()["code"] == 200
    assert cloud.wait_for(POST).json()["params"]["Heating"] == 1


def test_nonsense_changes_nothing(cloud, board):
    board.wait_for("connected")
    cloud.wait_for(POST)
    for nonsense in ("hot", None, 400, [21], True):
        cloud.set_properties({"Target": nonsense})
        assert cloud.wait_for(REPLY).json()["code"] == 460
        assert cloud.wait_for(POST).json()["params"]["Target"] == 18


def test_it_comes_back_when_the_connection_is_lost(cloud, board):
    board.wait_for("connected")
    cloud.act(cloud.product_key, cloud.device_name, "kick")
    board.wait_for("offline")
    board.wait_for("connected")
    cloud.set_properties({"Target": 21})
    assert cloud.wait_for(REPLY).json()["code"] == 200
