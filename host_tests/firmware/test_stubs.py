"""The stubs beside the package name what its sources have, arguments too; and mypy reads programs by them."""

import ast
import json
import os
import re
import subprocess
import sys

import pytest

from host_tests.support.paths import ROOT
from tools.firmware import FOLDER
from tools.image import device_files

# module or class -> what it has beside its stub: for the parts of aliot alone, and called otherwise on a board
INNER = {
    "aliot": "drop",
    "aliot.clock": "set_at doubted unconfirmed doubt due",
    "aliot.device.Device": "network store handlers topics watchers session client up asked extra starved "
    "serve call lost full_topic state",
    "aliot.gateway.Gateway": "issued last result passed left",
    "aliot.gateway.subdevice.Subdevice": "gateway parent key watchers paces extra index login client last_id starved "
    "serve full_topic state",
    "aliot.id2": "Quota burned",
    "aliot.id2.Id2": "provisioning client_id instance quota locate open login",
    "aliot.id2.SoftwareElement": "fields id key",
    "aliot.log": "clean",
    "aliot.ota.updates": "clear",
    "aliot.ota.updates.Updates": "allowed asked device due failure heard noted offer on_reset refused silent "
    "trial update version ask call may slice work",
    "aliot.ota.writer.Writer": "data digest next path run slot terms tree whole copy entry steps take",
    "aliot.services.config.RemoteConfig": "after apply path limit offer refused wanted begin work failed",
    "aliot.services.jobs.Job": "file jobs",
    "aliot.services.jobs.Jobs": "asked handler known left listed open queue begin work",
    "aliot.services.log.Log": "asked lines on queue sending begin work failed",
    "aliot.services.ntp.Ntp": "device topic found sent",
    "aliot.services.raw.Raw": "device found handler waiting",
    "aliot.services.shadow.Shadow": "device handler topic found version missed waiting",
    "aliot.services.upload.Upload": "after asked block crc ended fields note rounds step faults begin work failed",
    "aliot.sign": "hmac",
    "aliot.store": "owner",
    "aliot.store.Store": "media found issued save newest after copy write",
    "aliot.thing": "sendable members",
    "aliot.thing.Outbox": "next numbers ids sizes places times file put acknowledged add remove",
    "aliot.thing.Thing": "path model read setters services values fetch asking desired passed calm faults",
    "aliot.thing.packs.Pack": "device size items entries counts used",
    "aliot.wifi.Wifi": "fault ssid password station",
    "aliot.x509": "TOPIC clear Pair X509Certificate burned",
}
STUBS = sorted((FOLDER / "aliot").rglob("*.pyi"))
PROGRAMS = [
    FOLDER / "main.py",
    *sorted((FOLDER / "examples").rglob("*.py")),
    *sorted((ROOT / "tools/project/template").rglob("*.py")),
]


def dotted(path):
    parts = path.relative_to(FOLDER).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def defined(body):
    """{name: node} of the functions, classes and values that statements define."""
    found = {}
    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            found[node.name] = node
        elif isinstance(node, ast.AnnAssign):
            found[node.target.id] = node
        elif isinstance(node, ast.Assign):
            names = [name for target in node.targets for name in ast.walk(target)]
            found.update({name.id: node for name in names if isinstance(name, ast.Name)})
    return found


TREES = {dotted(path): ast.parse(path.read_text()) for path in sorted((FOLDER / "aliot").rglob("*.py"))}
CLASSES = {node.name: node for tree in TREES.values() for node in tree.body if isinstance(node, ast.ClassDef)}


def members(node):
    """{name: node} of what a class defines, and of the attributes that its methods set."""
    found = {}
    for inner in ast.walk(node):
        if isinstance(inner, ast.Attribute) and isinstance(inner.ctx, ast.Store):
            if isinstance(inner.value, ast.Name) and inner.value.id == "self":
                found[inner.attr] = inner
    return {**found, **defined(node.body)}


def inherited(node):
    """The members of a class of the package and of the package's classes below it."""
    found = {}
    for base in node.bases:
        if isinstance(base, ast.Name) and base.id in CLASSES:
            found.update(inherited(CLASSES[base.id]))
    return {**found, **members(node)}


def offered(module):
    """{name: node} of what a module defines, and of what it has from other modules of the package."""
    found = {}
    for node in TREES[module].body:
        if isinstance(node, ast.ImportFrom) and node.module in TREES:
            theirs = defined(TREES[node.module].body)
            found.update({item.name: theirs[item.name] for item in node.names if item.name in theirs})
    return {**found, **defined(TREES[module].body)}


def is_type(node):
    """Whether a stub's definition is a type alone: a protocol, or another name for a type."""
    bases = getattr(node, "bases", [])
    return isinstance(node, ast.Assign) or any(ast.unparse(base) == "Protocol" for base in bases)


def open_names(names):
    return {name for name in names if not name.startswith("_")}


def arguments(node):
    """[(name, whether it may be left out)]; the name is None where a stub's begins with __: it has no other use."""
    every = [*node.args.posonlyargs, *node.args.args]
    needed = len(every) - len(node.args.defaults)
    found = [
        (None if one.arg.startswith("__") else one.arg, place >= needed) for place, one in enumerate(every)
    ]
    return found + [("*", True)] * (node.args.vararg is not None)


def same_arguments(stub, source, what):
    given, taken = arguments(stub), arguments(source)
    assert len(given) == len(taken), what
    for (name, optional), (named, left_out) in zip(given, taken):
        assert name in (None, named) and optional == left_out, f"{what}: {name}, {named}"


@pytest.mark.parametrize("path", STUBS, ids=dotted)
def test_a_stub_names_what_its_module_has(path):
    module = dotted(path)
    stub = {
        name: node for name, node in defined(ast.parse(path.read_text()).body).items() if not is_type(node)
    }
    source = offered(module)
    assert stub.keys() <= source.keys()
    own, inner = open_names(defined(TREES[module].body)), set(INNER.get(module, "").split())
    assert own - stub.keys() == inner, "say in INNER what is no application's, in the stub what is"
    for name, node in stub.items():
        what = f"{module}.{name}"
        assert isinstance(node, ast.AnnAssign) or type(node) is type(source[name]), what
        if isinstance(node, ast.FunctionDef):
            same_arguments(node, source[name], what)
        elif isinstance(node, ast.ClassDef):
            same_class(node, source[name], what)


def same_class(stub, source, what):
    here, there = members(stub), inherited(source)
    bases = {base.id for base in stub.bases} - {"Exception"}
    assert bases <= {base.id for base in source.bases if isinstance(base, ast.Name)}, what
    set_by_others = {
        node.attr for tree in TREES.values() for node in ast.walk(tree) if isinstance(node, ast.Attribute)
    }
    for name, node in here.items():
        if isinstance(node, ast.FunctionDef):
            assert isinstance(there[name], ast.FunctionDef), f"{what}.{name}"
            same_arguments(node, there[name], f"{what}.{name}")
        else:
            assert name in there or name in set_by_others, f"{what}.{name}"
    of_the_bases = set().union(*(inherited(CLASSES[base]) for base in bases)) if bases else set()
    inner = set(INNER.get(what, "").split())
    assert open_names(members(source)) - here.keys() - of_the_bases == inner, (
        f"{what}: in INNER, or in the stub"
    )


def test_every_row_of_inner_is_of_a_stub():
    stubs = {dotted(path) for path in STUBS}
    assert all(name in stubs or name.rpartition(".")[0] in stubs for name in INNER)


def test_what_programs_import_has_a_stub():
    stubs = {dotted(path) for path in STUBS}
    for path in PROGRAMS:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module.partition(".")[0] == "aliot":
                assert node.module in stubs, path
                named = {f"{node.module}.{item.name}" for item in node.names}
                assert node.module != "aliot" or named <= stubs, path


def test_the_modules_of_errors_that_the_pages_name_have_stubs():
    """firmware/README.md, "Errors", says what lies where."""
    page = (FOLDER / "README.md").read_text().partition("\n## Errors\n")[2].partition("\n## ")[0]
    named = {name for name in re.findall(r"`(aliot(?:\.\w+)+)`", page) if name in TREES}
    assert len(named) > 4 and named <= {dotted(path) for path in STUBS}


def test_no_stub_goes_onto_a_board():
    tree = device_files.compile_tree()
    assert STUBS and not [path for path in tree if path.endswith(".pyi") or path.startswith("/stubs")]


GOOD = """
import time
from aliot.device import Device
from aliot.gateway import Gateway


def main():
    device = Device({"every": 5})
    device.start()
    device.publish("user/update", b"x", qos=1)
    Gateway(device).attach([("a1EXAMPLESB", "probe-1")])
    time.ticks_diff(time.ticks_ms(), 0)
"""
BAD = {
    "device.pubish('user/update', b'x')": '"Device" has no attribute "pubish"',
    "device.publish('user/update', 5)": 'Argument 2 to "publish" of "Device" has incompatible type "int"',
    "device.poll(ms='1')": 'Argument "ms" to "poll" of "Device" has incompatible type "str"',
    "device.client": '"Device" has no attribute "client"',
    "time.tick_ms()": 'Module has no attribute "tick_ms"',
}


@pytest.mark.timeout(600)
def test_mypy_checks_a_program_against_the_stubs(tmp_path):
    """With the settings of pyproject.toml, as it checks the examples."""
    program = tmp_path / "program.py"
    program.write_text(GOOD + "".join(f"    {line}\n" for line in BAD))
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--check-untyped-defs", "--output", "json", str(program)],
        cwd=ROOT, env={**os.environ, "MYPY_CACHE_DIR": str(tmp_path / "cache")}, capture_output=True, text=True,
    )  # fmt: skip
    found = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    first = len(GOOD.splitlines()) + 1
    errors = {one["line"] - first: one["message"] for one in found if one["severity"] == "error"}
    assert done.returncode == 1 and sorted(errors) == list(range(len(BAD))), done.stdout + done.stderr
    for place, text in enumerate(BAD.values()):
        assert text in errors[place]
