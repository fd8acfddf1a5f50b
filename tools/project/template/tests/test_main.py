POST, REPLY = "thing/event/property/post", "thing/service/property/set_reply"


def test_the_board_posts_its_state_and_takes_what_is_set(cloud, board):
    board.wait_for("connected")
    assert cloud.wait_for(POST).json()["params"] == {"Switch": 0}
    cloud.set_properties({"Switch": 1})
    assert cloud.wait_for(REPLY).json()["code"] == 200
    assert cloud.wait_for(POST).json()["params"] == {"Switch": 1}
