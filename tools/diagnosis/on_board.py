"""Runs on a board, sent over its console: walks the way to the platform with the board's own modules.

Prints one JSON line for each stretch. Written for the board's firmware, not for the host.
"""

import json
import time

import machine
from aliot import clock, credentials, endpoint, part, record, roots, store
from aliot.errors import AliotError
from aliot.transport import connect
from aliot.wifi import Wifi

TIMEOUT = 10000


def say(stretch, ok, found, advice=""):
    print(json.dumps({"doctor": stretch, "ok": ok, "found": found, "advice": advice}))


def look(stretch, action, *arguments):
    try:
        say(stretch, True, action(*arguments))
    except AliotError as problem:
        say(stretch, False, "%s: %s" % (problem.code, problem.detail), problem.advice)
    except Exception as problem:
        say(stretch, False, "%s: %s" % (type(problem).__name__, problem))


def network(config):
    if "ssid" not in config:
        return "no ssid in config.json: taken as given"
    wifi = Wifi(config["ssid"], config.get("password", ""))
    wifi.join()
    for _ in range(TIMEOUT // 100):
        if wifi.up():
            return "joined " + config["ssid"]
        time.sleep_ms(100)
    raise AliotError("did not join " + config["ssid"], "wifi")


def set_clock(config):
    server = clock.synchronize(config.get("ntp", clock.SERVERS))
    if not server:
        raise AliotError("no SNTP server answered; counting from the build date", "certificate.clock")
    return "%d by %s" % (clock.now(), server)


def tls(credential, host, port, names):
    stream = connect(credential, host, port, names, TIMEOUT)
    try:
        stream.write(b"\xc0\0")
    finally:
        stream.close()
    return "chain, name and dates of %s:%d verified" % (host, port)


def main():
    try:
        with open("/config.json") as file:
            config = json.load(file)
    except OSError:
        config = {}
    kept = store.Store()
    try:
        generation, fields = kept.burned()
        fields[0] = generation
        health = ", ".join(["%s %s" % (name, kept.health[name]) for name in sorted(kept.health)])
        who = credentials.burned(fields, machine.unique_id())
        where = endpoint.endpoint(who.product_key, fields, config.get("endpoint"))
    except AliotError as problem:
        say("identity", False, "%s: %s" % (problem.code, problem.detail), problem.advice)
        return
    register = who.REGISTER
    issued = kept.issued(generation, who) if register else None
    say("identity", True, "%s / %s, %s; media: %s" % (
        who.product_key, who.device_name, "registered" if issued else "not registered yet" if register else "own secret",
        health))
    asks = hasattr(where, "asked")
    if asks:
        questions(where, who, kept, generation)
    say("roots", True, "%s; extra: %s" % (", ".join(where.roots), ", ".join(roots.fingerprints()) or "none"))
    look("network", network, config)
    look("clock", set_clock, config)
    if register == "https" and not issued:
        look("TLS register", tls, who, where.register_host, 443, where.register_roots)
    if asks:
        host = where.host_asked
        look("TLS asked", tls, who, host, 443, where.register_roots)
    if not asks or where.told:
        look("TLS", tls, issued or who, where.host, where.port, where.roots)


def questions(where, who, kept, generation):
    """Say what this board asks before it connects, and what it was told (aliot.guide); nothing is asked here."""

    class Board:  # what aliot.guide.kept looks at of a Device
        store = kept
        product_key = who.product_key
        device_name = who.device_name

    board = Board()
    board.generation = generation
    where.host_asked, path = where.question()
    told = part("guide.kept").load(where, board)
    if told:
        where.sent(told[0], told[1])
    say("asks", True, "auth %s, bootstrap %s: %s of %s; %s" % (
        where.auth, where.bootstrap, path, where.host_asked, "kept: %s:%d" % where.told if told else "nothing is kept yet"))


main()
