"""What a board says after its reset: an application that ends is told at once and whole, state or no state."""

import json
import time
from types import SimpleNamespace

import pytest

from host_tests.support.flashing import field_board
from tools.cli import main
from tools.flash import console, port
from tools.image import flash_image
from tools.line.station import port_wire, visit

WRONG = {
    "a name": (
        "import time\ndef go():\n    missing()\ntime.sleep_ms(10)\ngo()\n",
        ['main.py", line 5, in <module>', 'main.py", line 3, in go'],
        "NameError: ",
    ),
    "syntax": ('print("hello"\nx=\n', ['main.py", line 2'], "SyntaxError: invalid syntax"),
    "an import": (
        "import nowhere\n",
        ['main.py", line 1, in <module>'],
        "ImportError: no module named 'nowhere'",
    ),
}


@pytest.fixture
def running(bench, tmp_path):
    """A board whose application runs: `running(main)` or, of a board from the field, `running()`."""

    def make(text=None):
        image = field_board() if text is None else flash_image.build(files={"/main.py": text.encode()})
        (tmp_path / "flash.bin").write_bytes(image)
        return bench(software=True, boot_blank=True)

    return make


@pytest.mark.parametrize("name", WRONG)
def test_an_error_in_main_py_is_told_within_a_second_and_whole(running, tool, tmp_path, name):
    text, places, error = WRONG[name]
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "main.py").write_text(text)
    board = running()
    began = time.monotonic()
    result = tool(board, "flash", "--app", "--files", tmp_path / "app", firmware=None, wait="90")
    assert result.status == 1 and time.monotonic() - began < 60
    assert (
        "  console: Traceback (most recent call last):\n" in result.out
        and f"  console: {error}" in result.out
    )
    assert result.error.startswith(f"the board was flashed, but its application has ended: {error}")
    for place in places:
        assert f"{place}\n" in result.out and place in result.error
    assert f"'make monitor PORT={board.url} ARGS=--reset'" in result.error


def test_an_application_that_comes_to_the_prompt_is_told(running, tool, tmp_path):
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "main.py").write_text("print('\\x1b[31mbye\\x1b[0m \\x07')\n")
    result = tool(running(), "flash", "--app", "--files", tmp_path / "app", firmware=None, wait="90")
    assert "  console: bye \\x07\n" in result.out
    assert result.error.startswith(
        "the board was flashed, but its application has ended: the board is at its prompt"
    )


def test_the_json_report_has_the_traceback(running, tool, tmp_path):
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "main.py").write_text("1 / 0\n")
    result = tool(
        running(), "flash", "--app", "--files", tmp_path / "app", "--json", firmware=None, wait="90"
    )
    report = json.loads(result.out)
    assert result.status == 1 and report["state"] is None
    assert report["traceback"][-1].startswith("ZeroDivisionError") and report["traceback"][0].startswith(
        "Traceback"
    )


def _fed(*pieces):
    states, shown = [], []
    output = console.Output(states.append, shown.append)
    for piece in pieces:
        list(output.feed(piece))
    output._quiet_from = output._quiet_from and 0.0  # as if it had been quiet since
    return output, states, shown


def test_a_traceback_after_which_the_board_goes_on_ends_nothing():
    trace = b'Traceback (most recent call last):\r\n  File "main.py", line 1, in <module>\r\nKeyboardInterrupt: \r\n'
    for goes_on in (b'{"aliot":"boot"}\r\n', b"MPY: soft reboot\r\n"):
        _fed(trace, b"MicroPython v1.25.0\r\n>>> ", b"\r\n" + goes_on)[0].check()
    with pytest.raises(console.Ended) as caught:
        _fed(trace, b"MicroPython v1.25.0\r\n>>> ")[0].check()
    assert (
        str(caught.value)
        == 'its application has ended: KeyboardInterrupt: (File "main.py", line 1, in <module>)'
    )


def test_a_traceback_names_the_sources():
    output, _, shown = _fed(b'Traceback (most recent call last):\r\n  File "aliot", line 30, in run\r\nOSE')
    assert shown[1].startswith('  File "firmware/aliot/') and output._quiet_from is None


def test_what_no_terminal_takes_is_shown_as_its_escape():
    _, states, shown = _fed(
        b"\x1b[0;32mI (29) boot\x1b[0m \x1b]0;title\x07\xff\n", b'{"aliot":"wifi","ssid":"\\ud83d\x7f"}\n'
    )
    assert shown == ["I (29) boot \\x1b]0;title\\x07\ufffd"]
    assert console.describe(states[0]) == "wifi (ssid \\ud83d\\x7f)"


def test_monitor_resets_the_board_and_shows_it_from_its_start(running, capsys):
    board = running('print("begins")\nprint(\'{"aliot": "boot"}\')\n')
    assert main(["monitor", "--port", board.url, "--reset", "--until", "boot"]) == 0
    result = capsys.readouterr().out.split("\n")
    assert any(line.startswith("rst:0x1") for line in result) and result[-3:] == ["begins", "boot", ""]


def test_the_self_test_of_the_line_keeps_the_traceback(running):
    board = running('print("begins")\ndef go():\n    missing()\ngo()\n')
    job = SimpleNamespace(board="ESP32_GENERIC", seconds=60, until="boot", tree={})
    wire = port_wire.PortWire(board.url, job)
    wire._loader = SimpleNamespace(
        reset=lambda: None,
        close=lambda: None,
        release=lambda: console.restart(board.url, port.open_port(board.url)),
    )
    tested = wire.self_test(job, None, None)
    assert tested.lines == () and "begins" in tested.printed
    problem = visit.judge(tested, job, SimpleNamespace(mac="240ac4000001"), None)
    assert (
        problem.startswith("its application has ended: NameError: ") and 'main.py", line 3, in go' in problem
    )
    assert "\n" not in problem
    silent = visit.judge(port_wire.Tested((), ("rst:0x10", "brownout")), job, None, None)
    assert (
        silent
        == "no state line within 60 s: the application does not start, or prints none; it said last: brownout"
    )
