"""What a pair or a push may be: host_tests/system/x509/test_parsers.py makes it up."""

import json
import tls
import aliot.device
from aliot import record
from aliot.x509 import X509Error, der
from scripted import raises, unhex
from scripted_x509 import ACCEPTED, NOW, Platform, blank, fields, kept, message, on


def pair(value):
    """[certificate, key] in hex: a sound pair, or X509Error with a code of its own; the board's TLS as well."""
    certificate, key = unhex(value[0]), unhex(value[1])
    try:
        made = aliot.load("x509.pairs").pair(
            {record.CERTIFICATE: certificate, record.PRIVATE_KEY: key}, "burned"
        )
    except X509Error as problem:
        assert problem.code in ("x509.missing", "x509.malformed", "x509.mismatch")
    else:
        try:
            made.check(NOW)
        except X509Error as problem:
            assert problem.code in ("x509.expired", "x509.future")
    try:
        tls.SSLContext(tls.PROTOCOL_TLS_CLIENT).load_cert_chain(certificate, key)
    except ValueError:
        pass


def sound(value):
    made = aliot.load("x509.pairs").pair(
        {record.CERTIFICATE: unhex(value[0]), record.PRIVATE_KEY: unhex(value[1])}, "burned"
    )
    made.check(NOW)


def refused(value):
    """[certificate, key] in hex that are no pair."""
    burned = {record.CERTIFICATE: unhex(value[0]), record.PRIVATE_KEY: unhex(value[1])}
    problem = raises(X509Error, aliot.load("x509.pairs").pair, burned, "burned")
    assert problem.code in ("x509.missing", "x509.malformed") and problem.detail


def read(value):
    """[certificate, key, what the host's library found]."""
    found = der.certificate(unhex(value[0]))
    numbers = der.private_key(unhex(value[1]))
    wanted = value[2]
    assert list(found[:4]) == wanted[:4], (found[:4], wanted)
    assert found[4:] == numbers == (int(wanted[4], 16), wanted[5])


def pushed(value):
    """Any payload on a first boot: it is stored whole, or not at all."""
    made_by, payload = value
    blank(fields(made_by))
    Platform(ACCEPTED + message(unhex(payload)))
    board = on(config={"push": 1})
    if board.poll(0):
        found = json.loads(unhex(payload))
        assert (board.product_key, board.device_name) == (found["productKey"], found["deviceName"])
    else:
        assert kept("issued") == [None, None] and board.states[-1][1]["code"] in ("protocol", "x509.push")
