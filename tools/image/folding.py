"""Folds named constants into the code that uses them, as a C compiler does.

MicroPython keeps every name that a module holds in the heap. The firmware's constants have names for people; the
emulated chip's own modules stand for C, which has none in the heap. Lines stay where they are.
"""

import ast
import re
from collections.abc import Iterable, Mapping

_CONSTANT = re.compile(r"_?[A-Z][A-Z0-9_]*")


def fold(sources: Mapping[str, str], internal: Iterable[str], longest: int | None = None) -> dict[str, str]:
    """`sources` {module: text} with constants in place of their names.

    All upper-case names with literal values that the modules `internal` define
    are folded, there and wherever they are imported or taken as attributes; of
    other modules those that begin with an underscore. A text of more than
    `longest` characters is not folded, since each use would hold a copy of it.
    """
    trees = {name: ast.parse(text) for name, text in sources.items()}
    known = {name: _constants(tree, name in internal, longest) for name, tree in trees.items()}
    return {name: _folded(sources[name], tree, known[name], known, internal) for name, tree in trees.items()}


def _constants(tree, every, longest):
    """{name: literal's text} of a module's constants."""
    found = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            name, value = node.targets[0].id, node.value
            if isinstance(value, ast.Call) and getattr(value.func, "id", "") == "const":
                value = value.args[0]
            if _CONSTANT.fullmatch(name) and (every or name[0] == "_") and _literal(value, longest):
                found[name] = ast.unparse(value)
    return found


def _literal(node, longest):
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        node = node.operand
    if isinstance(node, ast.Tuple):
        return all(_literal(item, longest) for item in node.elts)
    if not isinstance(node, ast.Constant) or not isinstance(node.value, (int, str, bytes)):
        return False
    return longest is None or isinstance(node.value, int) or len(node.value) <= longest


def _folded(text, tree, own, known, internal):
    names, changes, modules = dict(own), [], {name: name for name in internal}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            for item in node.names:
                if f"{node.module}.{item.name}" in internal:
                    modules[item.asname or item.name] = f"{node.module}.{item.name}"
        if isinstance(node, ast.ImportFrom) and node.module in internal:
            taken = {item.name: known[node.module].get(item.name) for item in node.names}
            names.update({name: value for name, value in taken.items() if value is not None})
            left = [item for item in node.names if taken[item.name] is None]
            if len(left) < len(node.names):
                imported = ", ".join(
                    item.name + (f" as {item.asname}" if item.asname else "") for item in left
                )
                changes.append((node, f"from {node.module} import {imported}" if left else "pass"))
        elif isinstance(node, ast.Assign) and getattr(node.targets[0], "id", None) in own:
            changes.append((node, "pass"))
    gone = {id(below) for node, _ in changes for below in ast.walk(node)}
    for node in ast.walk(tree):
        if id(node) in gone:
            continue
        if isinstance(node, ast.Name) and node.id in names:
            changes.append((node, names[node.id]))
        elif (
            isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in modules
        ):
            value = known[modules[node.value.id]].get(node.attr)
            if value is not None:
                changes.append((node, value))
    return _replaced(text, changes)


def _replaced(text, changes):
    """`text` with each node of `changes` replaced, and as many lines as before."""
    lines = text.encode().split(b"\n")  # the tree counts bytes
    for node, replacement in sorted(
        changes, key=lambda change: (change[0].lineno, change[0].col_offset), reverse=True
    ):
        first, last = node.lineno - 1, node.end_lineno - 1
        joined = lines[first][: node.col_offset] + replacement.encode() + lines[last][node.end_col_offset :]
        lines[first : last + 1] = [joined] + [b""] * (last - first)
    return b"\n".join(lines).decode()
