"""Gateways and their sub-devices: requests, sessions inside the gateway's connection, notices.

Written from the protocol page gateway.md, whose sections the docstrings name.
`gateways.Gateways` is the way in; the rest is one file for each group of topics.
"""
