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
    """Whether it went well."""
    try:
        say(stretch, True, action(*arguments))
        return True
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
    if credential.TRANSPORT == "itls":
        return "both sides authenticated at %s:%d: one of ten times a day" % (host, port)
    return "chain, name and dates of %s:%d verified" % (host, port)


def holds(who, issued):
    """In a word, what this board proves itself with."""
    if hasattr(who, "current"):
        return "certificate and key"
    if hasattr(who, "element"):
        return "ID2" if who.element.is_provisioned() else "no ID2 yet"
    return "own secret" if not who.REGISTER else "registered" if issued else "not registered yet"


def certificate(who, moment):
    """The certificate whose turn it is (aliot.x509): its CONNECT chooses it, and TLS shows it then."""
    who.login(moment and moment * 1000, "hmacsha256")
    pair = who.trying
    pair.check(moment)
    days = (pair.ends - clock.now()) // 86400
    return "serial %s (%s), valid to %s, %d days left" % (pair.serial, pair.slot, pair.expires, days)


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
    name = "%s / %s" % (who.product_key, who.device_name) if who.product_key else "not told yet who it is"
    say("identity", True, "%s, %s; media: %s" % (name, holds(who, issued), health))
    asks = hasattr(where, "asked")
    if asks:
        questions(where, who, kept, generation)
    say("roots", True, "%s; extra: %s" % (", ".join(where.roots), ", ".join(roots.fingerprints()) or "none"))
    look("network", network, config)
    moment = clock.now() if look("clock", set_clock, config) else None
    if hasattr(who, "current") and not look("certificate", certificate, who, moment):
        return
    if register == "https" and not issued:
        look("TLS register", tls, who, where.register_host, 443, where.register_roots)
    if asks:
        host = where.host_asked
        look("TLS asked", tls, who, host, 443, where.register_roots)
    if not asks or where.told:
        look("iTLS" if who.TRANSPORT == "itls" else "TLS", tls, issued or who, where.host, where.port, where.roots)


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
