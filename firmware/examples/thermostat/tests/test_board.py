"""The whole board: `python -m tools test firmware/examples/thermostat`."""

POST, SERVICE = "thing/event/property/post", "thing/service/"


def values(message):
    """The properties of a post, without their times."""
    return {name: point["value"] for name, point in message.json()["params"].items()}


def posted(cloud, name, value):
    """Waits for a post in which that property has that value; the post's properties."""
    while True:
        found = values(cloud.wait_for(POST))
        if found.get(name) == value:
            return found


def test_the_board_comes_online_and_posts_its_state(cloud, board):
    board.wait_for("connected")
    assert values(cloud.wait_for(POST)) == {"Temperature": 19, "Target": 18, "Heating": 0}


def test_the_cloud_sets_a_target(cloud, board):
    board.wait_for("connected")
    cloud.set_properties({"Target": 21})
    assert cloud.wait_for(SERVICE + "property/set_reply").json()["code"] == 200
    assert posted(cloud, "Heating", 1)["Target"] == 21


def test_nonsense_changes_nothing(cloud, board):
    """The cloud has the model too, and lets none of it through: here a message goes as it is."""
    board.wait_for("connected")
    posted(cloud, "Target", 18)
    for nonsense in ("hot", None, 400, [21], True):
        cloud.publish(
            SERVICE + "property/set", {"id": "8", "version": "1.0.0", "params": {"Target": nonsense}}
        )
        assert cloud.wait_for(SERVICE + "property/set_reply").json()["code"] == 460
    cloud.set_properties({"Target": 19})
    assert posted(cloud, "Target", 19)["Target"] == 19 and len(cloud.messages(POST)) <= 3


def test_a_service_turns_the_target_up(cloud, board):
    board.wait_for("connected")
    cloud.publish(SERVICE + "Boost", {"id": "7", "version": "1.0.0", "params": {}})
    assert cloud.wait_for(SERVICE + "Boost_reply").json()["data"] == {"accepted": 1}
    assert posted(cloud, "Target", 19)["Heating"] == 0


def test_what_happens_while_the_cloud_is_away_arrives_later(cloud, board):
    board.wait_for("connected")
    posted(cloud, "Target", 18)
    cloud.stop()
    board.wait_for("offline")
    cloud.restart()
    board.wait_for("connected")
    cloud.set_properties({"Target": 21})
    assert cloud.wait_for(SERVICE + "property/set_reply").json()["code"] == 200
    assert posted(cloud, "Heating", 1)
