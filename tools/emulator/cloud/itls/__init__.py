"""The server's side of iTLS: records, handshake, and the listener that carries MQTT inside (id2.md 3, 4)."""
