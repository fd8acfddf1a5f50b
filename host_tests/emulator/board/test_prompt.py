"""The console of a board: its prompt, Ctrl-C and Ctrl-D, and raw mode."""

import time

import pytest

from tools.emulator.board.boot import BoardError


class Terminal:
    """The other end of a board's console."""

    def __init__(self, board, **options):
        self.board, self.seen = board, b""
        board.start(console=self._hear, follow=True, **options)

    def _hear(self, data):
        self.seen += data

    def expect(self, what, timeout=20):
        """Wait for bytes; what came up to their end, which is then forgotten."""
        ends = time.monotonic() + timeout
        while what not in self.seen:
            assert time.monotonic() < ends, (what, self.seen)
            time.sleep(0.005)
        before, _, self.seen = self.seen.partition(what)
        return before + what

    def send(self, data):
        self.board.send(data)


def test_the_prompt_takes_lines_and_blocks_and_goes_on_after_an_error(board):
    terminal = Terminal(board("x = 41\n"))
    terminal.expect(b">>> ")
    terminal.send(b"x + 1\r")
    assert b"42" in terminal.expect(b">>> ")
    terminal.send(b"for i in range(2):\r    print('i', i)\r\r")
    assert terminal.expect(b">>> ").count(b"\ni ") == 2
    terminal.send(b"1 / 0\r")
    assert b"ZeroDivisionError" in terminal.expect(b">>> ")
    terminal.send(b"xx\x7f + 1\r")
    assert b"42" in terminal.expect(b">>> ")


def test_ctrl_c_interrupts_main_and_a_line(board):
    terminal = Terminal(board("import time\nprint('runs')\nwhile True:\n    time.sleep_ms(10)\n"))
    terminal.expect(b"runs")
    terminal.send(b"\r\x03\x03")
    assert b"KeyboardInterrupt" in terminal.expect(b">>> ")
    terminal.send(b"while True: pass\r\r")
    time.sleep(0.1)
    terminal.send(b"\x03")
    terminal.expect(b"KeyboardInterrupt")
    terminal.send(b"1 + 1\r")
    terminal.expect(b"2")


def test_ctrl_c_leaves_the_heap_usable_however_often_it_is_collected(board):
    one = board(
        "import time\nprint('runs')\nwhile True:\n"
        "    for burst in range(20):\n        [bytearray(50) for piece in range(200)]\n    time.sleep_ms(1)\n"
    )
    for _ in range(12):
        terminal = Terminal(one)
        terminal.expect(b"runs")
        terminal.send(b"\x03")
        terminal.expect(b">>> ")
        terminal.send(b"len(bytearray(5000))\r")
        terminal.expect(b"\n5000")
        one.power_off()


def test_ctrl_d_resets_softly_and_runs_main_again(board):
    terminal = Terminal(board("import machine; print('main', machine.reset_cause())\n"))
    terminal.expect(b"main 1")
    terminal.expect(b">>> ")
    terminal.send(b"\x04")
    terminal.expect(b"soft reboot")
    terminal.expect(b"main 5")


def test_raw_mode_runs_programs_and_tells_output_from_errors(board):
    terminal = Terminal(board(""))
    terminal.expect(b">>> ")
    terminal.send(b"\x01")
    terminal.expect(b"raw REPL; CTRL-B to exit\r\n>")
    terminal.send(b"print('out')\x04")
    assert terminal.expect(b"\x04>") == b"OKout\n\x04\x04>"
    terminal.send(b"1 / 0\x04")
    answer = terminal.expect(b"\x04>")
    assert answer.startswith(b"OK\x04Traceback") and b"ZeroDivisionError" in answer
    terminal.send(b"\x05A\x01")
    assert terminal.expect(b"\x01")[:2] == b"R\x01"
    terminal.send(b"for i in range(3):\n  print(i)\n\x04")
    assert terminal.expect(b"\x04>").endswith(b"\x040\n1\n2\n\x04\x04>")
    terminal.send(b"\x02")
    terminal.expect(b">>> ")


def test_a_soft_reset_in_raw_mode_stays_in_it_and_leaves_main_out(board):
    terminal = Terminal(board("print('main')\n", files={"/boot.py": b"print('boot')\n"}))
    terminal.expect(b">>> ")
    terminal.send(b"\x01")
    terminal.expect(b"exit\r\n>")
    terminal.send(b"\x04")
    assert b"main" not in terminal.expect(b"raw REPL; CTRL-B to exit\r\n>")
    terminal.send(b"import machine; print(machine.reset_cause())\x04")
    assert b"OK5" in terminal.expect(b"\x04>")


def test_who_waits_for_what_never_comes_is_told_what_was_printed(board):
    one = board("print('this came')\nimport time\nwhile True:\n    time.sleep_ms(10)\n")
    one.start()
    one.wait_line("this came")
    with pytest.raises(BoardError, match="this came"):
        one.wait_for("connected", timeout=0.2)
