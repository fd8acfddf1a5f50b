"""What flash or a platform may hand to a gateway; host_tests/system/gateways/test_fuzz.py makes it up."""

import os

from aliot import load, record
from aliot.errors import AliotError
from aliot.gateway.rows import ATTACHED, ONLINE, Rows
from scripted import unhex
from gateway_platform import GATEWAY, Platform, sub

PATH = "/subs"


# A gateway empties such a module when it drops it: what a test holds of one may be gone after the next call.


def _rows():
    made = Rows(PATH)
    load("gateway.reading").read(made)
    return made


def keep(rows, items):
    load("gateway.records").keep(rows, items)


def write(rows):
    load("gateway.records").write(rows)


def files(inputs):
    """{"attached", "cut", "changes", "more"}: no record before what was changed in a file is lost."""
    for one in inputs:
        made = _filled(one["attached"])
        with open(PATH, "rb") as file:
            data = bytearray(file.read())
        end = len(data)
        if one["cut"] is not None:
            end = one["cut"] % (len(data) + 1)
            data = data[:end]
        for at, byte in one["changes"]:
            if data:
                at %= len(data)
                if data[at] != byte:
                    end = min(end, at)
                data[at] = byte
        data.extend(unhex(one["more"]))
        with open(PATH, "wb") as file:
            file.write(data)
        again = _rows()
        _holds(again, made, end)
        keep(again, [("a1SubProdKy", "sensor-99", "one-more")])
        write(again)
        last = _rows()
        _holds(last, made, end)
        assert not last.torn and last.entry(last.find(("a1SubProdKy", "sensor-99")))[2] == "one-more"
        assert last.count == again.count


def _filled(attached):
    try:
        os.remove(PATH)
    except OSError:
        pass
    made = _rows()
    ends = {}
    for number in range(6):
        name = sub(number)[0]
        keep(made, [name + ("Secret%026d" % number,)])
        ends[name] = made.size
        if number in attached:
            made.change(made.count - 1, 0, ATTACHED)
            write(made)
    return ends


def _holds(rows, ends, end):
    for number in range(6):
        name = sub(number)[0]
        row = rows.find(name)
        if ends[name] <= end:
            assert row >= 0, "a record before the tear is lost"
        if row >= 0:
            assert rows.entry(row)[2] == "Secret%026d" % number, "a secret that was never stored"


class Burned:
    """The store of a gateway that was burned with the ProductSecret of its sub-devices' product."""

    @staticmethod
    def burned():
        return 1, {record.SUB_PRODUCTS: b"a1SubProdKy ProductSecret016"}


def replies(inputs):
    """{"tail", "data": hex}: a reply, whatever it is, is an outcome or an error of the tree."""
    for one in inputs:
        platform = Platform(timeout=1)
        platform.store = Burned
        gateway = platform.gateway
        if one["tail"] != "register":
            gateway.bring_online(sub(1, 2))
        publish = platform.publish

        def answer(where, payload, qos=0):
            text = unhex(one["data"]).replace(b"@ID", str(gateway.id).encode())
            platform.waiting.append((where + "_reply", text))

        platform.publish = answer
        call = {
            "register": lambda: gateway.register(sub(1, 2)),
            "topo/add": lambda: (_unattached(gateway), gateway.attach(sub(1, 2))),
            "batch_login": lambda: (_unattached(gateway, False), gateway.login(sub(1, 2))),
            "topo/get": gateway.topology,
            "product_register": lambda: gateway.register_with_product_secret(sub(1, 2)),
        }[one["tail"]]
        try:
            call()
        except AliotError as problem:
            assert problem.code.startswith(("gateway.", "store")), problem.code
            assert isinstance(problem.advice, str)
        platform.publish = publish
        gateway.poll(0)
        for row in range(gateway.rows.count):
            assert gateway.rows.entry(row)[1]


def _unattached(gateway, attached=True):
    for row in range(gateway.rows.count):
        gateway.rows.change(row, ATTACHED if attached else ONLINE)


def notices(inputs):
    """{"topic", "data": hex}: whatever the platform says, the gateway goes on, and the others stay online."""
    platform = Platform()
    platform.bring(1, 2, 3)
    gateway = platform.gateway
    for one in inputs:
        platform.waiting.append((one["topic"].replace("@", GATEWAY), unhex(one["data"])))
        gateway.calm = 1 << 40
        for _ in range(3):
            gateway.poll(0)
        platform.published.clear()
        platform.states.clear()
    if gateway.rows.find(sub(3)[0]) >= 0:
        assert gateway.rows.entry(gateway.rows.find(sub(3)[0]))[2]


def lists(inputs):
    """{"data": hex, "piece"}: a list in any pieces, cut or changed, raises nothing."""
    for one in inputs:
        found = []
        scanner = load("gateway.topology").Scanner(lambda *name: found.append(name))
        data = unhex(one["data"])
        for at in range(0, len(data), one["piece"]):
            scanner.feed(data[at : at + one["piece"]])
        for name in found:
            assert isinstance(name[0], str) and isinstance(name[1], str)
            assert len(name[0]) <= 64 and len(name[1]) <= 64
