"""A board that stays on and answers one request after another."""

import json
import os
import queue
import subprocess
import threading

import pytest

from host_tests.support import device_tests
from host_tests.support.paths import DEVICE, VECTORS

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


def session(name):
    """What the client drew, and what the server sent, in hex."""
    rows = json.loads((VECTORS / "vectors_id2.json").read_text())["itls"]["transcripts"]
    row = next(row for row in rows if row["name"] == name)
    sent = [r for r in row["records"] if r["direction"] == "client_to_server"]
    received = [r["record_hex"] for r in row["records"] if r["direction"] == "server_to_client"]
    hellos = [r["record_hex"][22:86] for r in sent if r["message"] == "ClientHello"]
    given = row["inputs"]
    return {
        "product_key": given["product_key"],
        "id2": given["id2"],
        "key": given["id2_key_hex"],
        "draws": [
            hellos[0],
            given["device_random_ascii"],
            hellos[1],
            *(r["iv_hex"] for r in sent if "iv_hex" in r),
        ],
        "received": "".join(received),
        "connect": next(r["plaintext_hex"] for r in sent if r["content_type"] == 23),
    }


def provisioning():
    """A request's session key, the answer to it, and the ID in that answer."""
    row = json.loads((VECTORS / "vectors_id2.json").read_text())["otp_provisioning"]["responses"][0]
    return {"session_key": row["session_key_hex"], "response": row["response_hex"], "id": row["issued_id2"]}
