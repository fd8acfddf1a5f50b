"""Centres: HTTPS authentication before MQTT, bootstrap, and the centre that each device belongs to (direct.md 6).

One process stands for all centres of `[instance]`; the host name that a client
asks for says which of them answers.
"""
