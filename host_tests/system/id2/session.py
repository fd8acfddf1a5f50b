"""Recorded sessions as a board needs them: little JSON, nothing that its heap has not to hold."""

import json

from host_tests.support import paths

VECTORS = paths.VECTORS / "vectors_id2.json"


def session(name):
    """What the client drew, and what the server sent, in hex."""
    rows = json.loads(VECTORS.read_text())["itls"]["transcripts"]
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
    row = json.loads(VECTORS.read_text())["otp_provisioning"]["responses"][0]
    return {"session_key": row["session_key_hex"], "response": row["response_hex"], "id": row["issued_id2"]}
