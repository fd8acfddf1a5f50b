"""Folds named constants of the port into the code that uses them, as a chip's C compiler does.

MicroPython keeps every name that a module holds in the heap; a board has no
such names of its own firmware there. Lines stay where they are.
"""

import ast
import re

_CONSTANT = re.compile(r"_?[A-Z][A-Z0-9_]*")


def fold(sources, internal):
    """`sources` {module: text} with constants in place of their names.

    All upper-case names with literal values that the modules `internal` define
    are folded, there and wherever they are imported or taken as attributes; of
    other modules those that begin with an underscore.
    """
    trees = {name: ast.parse(text) for name, text in sources.items()}
    known = {name: _constants(tree, name in internal) for name, tree in trees.items()}
    return {name: _folded(sources[name], tree, known[name], known, internal) for name, tree in trees.items()}


def _constants(tree, every):
    """{name: literal's text} of a module's constants."""
    found = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            name, value = node.targets[0].id, node.value
            if isinstance(value, ast.Call) and getattr(value.func, "id", "") == "const":
                value = value.args[0]
            if _CONSTANT.fullmatch(name) and (every or name[0] == "_") and _literal(value):
                found[name] = ast.unparse(value)
    return found


def _literal(node):
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        node = node.operand
    if isinstance(node, ast.Tuple):
        return all(_literal(item) for item in node.elts)
    return isinstance(node, ast.Constant) and isinstance(node.value, (int, str, bytes))


def _folded(text, tree, own, known, internal):
    names, changes = dict(own), []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module in internal:
            taken = {item.name: known[node.module].get(item.name) for item in node.names}
            names.update({name: value for name, value in taken.items() if value is not None})
            left = [name for name, value in taken.items() if value is None]
            changes.append((node, f"from {node.module} import {', '.join(left)}" if left else "pass"))
        elif isinstance(node, ast.Assign) and getattr(node.targets[0], "id", None) in own:
            changes.append((node, "pass"))
    gone = {id(below) for node, _ in changes for below in ast.walk(node)}
    for node in ast.walk(tree):
        if id(node) in gone:
            continue
        if isinstance(node, ast.Name) and node.id in names:
            changes.append((node, names[node.id]))
        elif (
            isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in internal
        ):
            value = known[node.value.id].get(node.attr)
            if value is not None:
                changes.append((node, value))
    return _replaced(text, changes)


def _replaced(text, changes):
    """`text` with each node of `changes` replaced, and as many lines as before."""
    lines = text.encode().split(b"\n")  # the tree counts bytes
    for node, words in sorted(
        changes, key=lambda change: (change[0].lineno, change[0].col_offset), reverse=True
    ):
        first, last = node.lineno - 1, node.end_lineno - 1
        joined = lines[first][: node.col_offset] + words.encode() + lines[last][node.end_col_offset :]
        lines[first : last + 1] = [joined] + [b""] * (last - first)
    return b"\n".join(lines).decode()
