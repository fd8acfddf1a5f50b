"""Emulated boards of the console: their processes, and the identities that they get from the cloud."""
