"""The rooms of tools/ stand in one order: a lower room never imports a higher one, and no imports go in a circle."""

import ast

import pytest

from host_tests.support.paths import ROOT

# Lowest first; rooms of one line do not know each other. What is no room here is a file of `BASE`.
ORDER = (
    ("base",),
    ("image",),
    ("flash",),
    ("diagnosis", "ca", "line", "ota", "project"),
    ("demo",),
    ("qemu",),
)
# The emulators stand beside the others: they know what lies in flash and below, and nothing else.
EMULATORS = ("emulator.board", "emulator.chip", "emulator.cloud")
THEIRS = {
    "emulator.board": ("base", "image"),
    "emulator.cloud": ("base", "image"),
    "emulator.chip": ("base", "image", "emulator.board", "emulator.cloud"),
}
# who starts them
STARTERS = ("demo", "qemu", "project")
VERBS = ("tools.cli",)  # starts every room
BASE_ORDER = (
    "errors",
    "files",
    "secrets",
    "toml_table",
    "serials",
    "certificates",
    "host_names",
    "partitions",
    "chips",
    "boards",
)


def sources():
    """{module: its syntax tree} of tools/, without what runs on a board."""
    for path in sorted((ROOT / "tools").rglob("*.py")):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        if ".board.port" not in name and name != "tools.diagnosis.board_script":
            yield name, ast.parse(path.read_text(encoding="utf-8"))


class _Running(ast.NodeTransformer):
    """Takes away what only a type checker imports."""

    def visit_If(self, node):
        checked = isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        return None if checked else self.generic_visit(node)


def imports(trees):
    """{module: {module of tools that it imports, anywhere in it}}."""
    known = set(trees)
    found = {name: set() for name in known}
    for name, tree in trees.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("tools"):
                for alias in node.names:
                    full = f"{node.module}.{alias.name}"
                    found[name].add(full if full in known else node.module)
            elif isinstance(node, ast.Import):
                found[name] |= {alias.name for alias in node.names if alias.name in known}
    return found


def room(module):
    parts = module.split(".")[1:]
    if parts[:1] == ["emulator"]:
        return ".".join(parts[:2])
    rooms = {name for row in ORDER for name in row}
    return parts[0] if parts and parts[0] in rooms else "base"


@pytest.fixture(scope="module")
def graph():
    return imports(dict(sources()))


def test_no_room_imports_a_higher_one(graph):
    rank = {name: number for number, row in enumerate(ORDER) for name in row}
    wrong = []
    for module, targets in graph.items():
        for target in targets:
            here, there = room(module), room(target)
            if here == there or module in VERBS:
                continue
            if here in EMULATORS:
                allowed = there in THEIRS[here]
            elif there in EMULATORS:
                allowed = here in STARTERS
            else:
                allowed = rank[there] < rank[here]
            if not allowed:
                wrong.append(f"{module} imports {target}")
    assert not wrong, "\n".join(sorted(wrong))


def test_the_lowest_files_stand_in_their_order(graph):
    for number, name in enumerate(BASE_ORDER):
        above = {f"tools.{other}" for other in BASE_ORDER[number + 1 :]}
        assert not graph[f"tools.{name}"] & above, name


def test_no_imports_go_in_a_circle():
    graph = imports({name: _Running().visit(tree) for name, tree in sources()})
    done, path = set(), []

    def visit(module):
        assert module not in path, " -> ".join([*path[path.index(module) :], module])
        if module in done:
            return
        path.append(module)
        for target in sorted(graph[module] - {module}):
            visit(target)
        path.pop()
        done.add(module)

    for module in sorted(graph):
        visit(module)
