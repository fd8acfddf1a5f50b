"""`make line-demo`, without the firmware it fetches: a line that loses power, a cable and its station."""

from tools.demo.line import BAYS, Demo


def test_the_demo_ends_with_every_board_online_and_every_identity_once(tmp_path):
    said = []

    def say(line):
        said.append(line)
        print(line)  # shown when it fails

    assert Demo(str(tmp_path / "demo"), say, firmware=False).run() == BAYS
    text = "\n".join(said)
    assert "lost power at flash operation" in text and "is pulled out" in text and "killed (SIGKILL)" in text
    assert "8 boards, 8 identities, each once" in text
    assert (tmp_path / "demo" / "report.html").exists() and len(
        list((tmp_path / "demo" / "labels").iterdir())
    ) == 8
