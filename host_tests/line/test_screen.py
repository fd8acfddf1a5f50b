"""What the station shows: plain lines, the live table, reasons on every width, boards an hour."""

import os

import pytest

from host_tests.line.conftest import board
from tools.line.station import screen, station


def shown(screen_):
    row, tally = station.Row("1"), station.Tally()
    for event, facts in [
        ("waiting", {}),
        ("identify", {}),
        ("identified", {"mac": board(1), "chip": "esp32"}),
        ("reserved", {"device_name": "dev00000", "state": "reserved"}),
        ("flash", {"part": 0.5}),
        ("written", {}),
        ("verified", {}),
        (
            "result",
            {
                "outcome": "failed",
                "mac": board(1),
                "device_name": "dev00000",
                "why": "no state line within 60 s",
            },
        ),
    ]:
        row.hear(event, facts)
        if event == "result":
            tally.count(facts["outcome"], 0.0)
            tally.judge(row)
        screen_.hear("2026-11-21T07:00:00.000Z", row, event, facts, tally)
        screen_.tick({"1": row}, tally)
    screen_.close({"1": row}, tally)


def test_plain_lines_say_what_an_operator_wants_to_know():
    import io

    out = io.StringIO()
    shown(screen.Lines(out))
    assert out.getvalue().splitlines() == [
        "07:00:00 bay 1: identified 24:0a:c4:00:00:01",
        "07:00:00 bay 1: reserved 24:0a:c4:00:00:01 dev00000",
        "07:00:00 bay 1: written 24:0a:c4:00:00:01 dev00000",
        "07:00:00 bay 1: verified 24:0a:c4:00:00:01 dev00000",
        "07:00:00 bay 1: FAILED 24:0a:c4:00:00:01 dev00000: no state line within 60 s",
        "still red:",
        "  bay 1: 24:0a:c4:00:00:01: dev00000: no state line within 60 s",
        "0 passed, 1 failed, 0 boards an hour",
    ]


def test_the_live_table_has_a_row_for_each_bay_with_counts_and_rate():
    from rich.console import Console

    console = Console(width=120, record=True, force_terminal=True, file=open(os.devnull, "w"))
    shown(screen.Table("lamp", console))
    text = console.export_text()
    for message in (
        "24:0a:c4:00:00:01",
        "dev00000",
        "FAILED",
        "no state line within 60 s",
        "0 passed, 1 failed",
        "boards an hour",
    ):
        assert message in text


TWO_BOARDS = (
    "the board holds a1B2c3D4e5F/lamp-0009, which board 24:0a:c4:00:00:09 has: two boards with one identity"
)

LONG = "lamp-0004-with-a-name-of-32-chars"
BAYS = {  # what each bay heard
    "1": [
        ("identify", {}),
        ("reserved", {"mac": board(1), "device_name": "lamp-0001"}),
        ("flash", {"part": 0.45}),
    ],
    "2": [
        ("identify", {}),
        (
            "result",
            {"outcome": "failed", "mac": board(2), "why": "this is an esp32s3, the job is for an esp32"},
        ),
    ],
    "3": [("identify", {}), ("result", {"outcome": "done", "mac": board(3), "device_name": "lamp-0003"})],
    "4": [("identify", {}), ("result", {"outcome": "already", "mac": board(4), "device_name": LONG})],
    "5": [
        ("identify", {}),
        ("result", {"outcome": "failed", "mac": board(5), "device_name": "lamp-0005", "why": TWO_BOARDS}),
        ("waiting", {}),
    ],
    "6": [
        ("identify", {}),
        ("result", {"outcome": "done", "mac": board(6), "device_name": "lamp-0006"}),
        ("waiting", {}),
    ],
    "7": [("identify", {}), ("identified", {"mac": board(7)}), ("pulled", {"why": "the port went away"})],
    "1-1.4.2.1.3.4": [
        ("result", {"outcome": "failed", "mac": board(8), "why": "said \x1b[2J\x9b1A\u202e[red]x"})
    ],
}


def screen_of(width, height):
    """(view, rows, tally) of BAYS on a terminal of that size."""
    from rich.console import Console

    view = screen.Table(
        "lamp-2026-11: a1B2c3D4e5F on ESP32_GENERIC, station hall-2",
        Console(width=width, height=height, record=True, force_terminal=True, file=open(os.devnull, "w")),
    )
    rows, tally = {}, station.Tally()
    for bay, heard in BAYS.items():
        row = rows[bay] = station.Row(bay)
        for event, facts in heard:
            row.hear(event, facts)
            if event == "result":
                tally.count(facts["outcome"], 0.0)
                tally.judge(row)
    tally.finished.clear()
    return view, rows, tally


def lines_of(view, rows, tally, width, **how):
    import io

    from rich.console import Console

    out = io.StringIO()
    Console(width=width, file=out).print(view.render(rows, tally, **how))
    return [line.rstrip() for line in out.getvalue().splitlines()]


def test_the_screen_at_80_columns_is_as_written_down():
    view, rows, tally = screen_of(80, 24)
    text = "\n".join(lines_of(view, rows, tally, 80, now=0)) + "\n"
    view.live.stop()
    path = os.path.join(os.path.dirname(__file__), "goldens", "screen", "80x24")
    if os.environ.get("ALIOT_GOLDEN") == "write":
        with open(path, "w") as file:
            file.write(text)
    assert text == open(path).read()
    assert all(len(line) <= 80 for line in text.splitlines()) and len(text.splitlines()) <= 24


@pytest.mark.parametrize("width, height", [(80, 24), (80, 10), (60, 24), (120, 8)])
def test_a_reason_is_whole_on_every_screen_and_every_bay_has_its_turn(width, height):
    view, rows, tally = screen_of(width, height)
    turns = [lines_of(view, rows, tally, width, now=screen.TURN * number) for number in range(len(BAYS))]
    view.live.stop()
    everything = [" ".join(" ".join(line.split()) for line in turn) for turn in turns]
    for why in (TWO_BOARDS, "this is an esp32s3, the job is for an esp32", "the port went away", LONG):
        assert any(why in text for text in everything), (why, everything)
    assert all(len(line) <= width for turn in turns for line in turn)
    if height > 12:
        assert all(len(turn) <= height for turn in turns)


def test_reasons_are_repeated_at_the_end_until_the_board_is_green():
    view, rows, tally = screen_of(80, 24)
    row = rows["2"]
    row.hear("result", {"outcome": "done", "mac": board(2), "device_name": "lamp-0002"})
    tally.judge(row)
    view.close(rows, tally)
    text = view.live.console.export_text()
    assert "still red:\n" in text and f"  bay 5: 24:0a:c4:00:00:05: lamp-0005: {TWO_BOARDS}\n" in text
    assert "this is an esp32s3" not in text.partition("still red:")[2]


def test_nothing_that_a_board_says_moves_the_cursor():
    import io

    out = io.StringIO()
    view, rows, tally = screen_of(80, 24)
    view.close(rows, tally)
    lines = screen.Lines(out)
    lines.hear("2026-11-21T07:00:00.000Z", rows["1-1.4.2.1.3.4"], *BAYS["1-1.4.2.1.3.4"][-1], tally)
    lines.close(rows, tally)
    for text in (view.live.console.export_text(), out.getvalue()):
        assert r"said \x1b[2J\x9b1A\u202e[red]x" in text
        assert all(c.isprintable() or c == "\n" for c in text)


def test_a_bay_that_waits_shows_no_board_but_the_red_one_that_was_taken_out():
    row = station.Row("1")
    for event, facts in [*BAYS["5"]]:
        row.hear(event, facts)
    assert (row.mac, row.device_name, row.outcome, row.why) == ("", "", "", "")
    assert row.last == f"taken out: 24:0a:c4:00:00:05 lamp-0005 FAILED: {TWO_BOARDS}"
    row.hear("identify", {})
    assert row.last == ""


def test_boards_an_hour_counts_the_last_hour():
    tally = station.Tally(began=0.0)
    for minute in range(120):
        tally.count("done", minute * 60.0)
    assert 59 <= tally.an_hour(7140.0) <= 61
