"""The ID² service: identities and their keys, device and server codes, provisioning (id2.md 1, 2)."""
