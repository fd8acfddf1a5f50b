"""What a Model answers, for tables that the host made: host_tests/firmware/test_model.py asks."""

import binascii
import gc

from aliot.errors import AliotError
from aliot.thing.model import Model

PATH = "/model.json"


def load(text):
    with open(PATH, "wb") as file:
        file.write(binascii.unhexlify(text))


def calls(value):
    """Each of `calls` is [method, arguments, what it returns], or with a number or word what it raises."""
    load(value["table"])
    model = Model(PATH)
    for method, arguments, wanted in value["calls"]:
        found = answer(model, method, arguments)
        assert same(found, wanted), "%s%r gives %r, not %r" % (method, arguments, found, wanted)
    model.file.close()


def vectors(value):
    """Values from the wire: one that fits has no `codes`, any other is refused with one of them."""
    load(value["table"])
    model = Model(PATH)
    for vector in value["values"]:
        raised = answer(model, "from_wire", [vector["kind"], vector["value"]]).get("raises")
        assert raised in (vector["codes"] or [None]), (vector, raised)
    model.file.close()


def answer(model, method, arguments):
    try:
        return {"is": getattr(model, method)(*arguments)}
    except AliotError as problem:
        assert problem.detail and "\n" not in problem.detail, problem.detail
        return {"raises": problem.number or problem.code[6:], "detail": problem.detail}


def same(found, wanted):
    if "is" in wanted:
        return "is" in found and exactly(found["is"], wanted["is"])
    return found.get("raises") == wanted["raises"] and wanted.get("detail") in (None, found.get("detail"))


def exactly(one, other):
    """Equal, and of the same types: True is not 1, and 1 not 1.0."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return set(one) == set(other) and all([exactly(one[key], other[key]) for key in one])
    if isinstance(one, list):
        return len(one) == len(other) and all([exactly(a, b) for a, b in zip(one, other)])
    return one == other


def damaged(value):
    """Whatever tables and values are, they give a result or an error of the package's, and nothing else.

    Only the table that is `whole` is intact, and no value makes that one look damaged.
    """
    for table in value["tables"]:
        load(table)
        try:
            model = Model(PATH)
        except AliotError:
            assert table != value["whole"]
            continue
        assert model.intact() == (table == value["whole"]), table
        for method, arguments in value["calls"]:
            found = answer(model, method, arguments)
            assert table != value["whole"] or found.get("raises") != "damaged", (method, arguments)
        model.file.close()


def not_there(value):
    for path in ("/none.json", "/aliot"):
        try:
            Model(path)
            raise AssertionError("found")
        except AliotError as problem:
            assert problem.code == "thing.model", problem.code


def heap(value):
    """Bytes that a Model takes from its import on, and all of `calls` at most: no more than `most`."""
    load(value["table"])
    gc.collect()
    if not hasattr(gc, "mem_alloc"):
        return
    before = gc.mem_alloc()
    model = Model(PATH)
    gc.collect()
    held = gc.mem_alloc() - before
    for method, arguments in value["calls"]:
        getattr(model, method)(*arguments)
    gc.collect()
    assert held <= value["most"], held
    assert gc.mem_alloc() - before <= value["most"], gc.mem_alloc() - before
