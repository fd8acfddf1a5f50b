"""A board that stays on and answers one request after another."""

import json
import os
import queue
import subprocess
import threading

import pytest

from host_tests.support import device_tests
from host_tests.support.paths import DEVICE

PATIENCE = 60  # seconds for one answer: a board that hangs fails its test


class Board:
    """The functions of a device file on a running board."""

    def __init__(self, name, which, folder, heap="124K"):
        command, environment = device_tests._start(DEVICE / name, which, folder, heap)
        self.process = subprocess.Popen(
            command,
            env={**os.environ, **environment},
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self.lines = queue.Queue()
        self.said = []
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        for line in self.process.stdout:
            self.lines.put(line)
        self.lines.put(b"")

    def ask(self, function, value):
        """Run a function with a value; AssertionError with what the board said when it fails."""
        self.process.stdin.write(json.dumps([function, None, value]).encode() + b"\n")
        self.process.stdin.flush()
        while True:
            line = self.lines.get(timeout=PATIENCE)
            assert line, b"".join(self.said[-20:]).decode(errors="replace")
            if line.startswith(device_tests.MARK):
                answer = json.loads(line[1:])
                assert answer is None, answer
                return
            self.said.append(line)

    def off(self):
        self.process.kill()
        self.process.wait()


@pytest.fixture(scope="module", params=device_tests.INTERPRETERS)
def board(request, tmp_path_factory):
    made = Board("id2_fuzz.py", request.param, tmp_path_factory.mktemp("board"))
    yield made
    made.off()
