"""Renames the package's own names to names that MicroPython holds anyway: every other one costs 20 bytes of heap.

What applications use keeps its name: the stubs beside the sources (.pyi) say what that is. Arguments that nobody
passes by name become letters; functions, classes, attributes and globals get a name of held_names.txt that stands
nowhere in the sources. A name is renamed alike everywhere, so that one map turns all back. Functions and globals
that only one source uses get a name that stands nowhere in that source; two sources may use one name for theirs.
"""

import ast
import builtins
import functools
import keyword
from collections.abc import Container, Iterable, Mapping
from pathlib import Path

HELD = Path(__file__).with_name("held_names.txt")
LETTERS = "deinvyzabcfghjklmpqrstuwx"  # those that the firmware holds come first
# what MicroPython itself gives to exceptions, and its word for constants
SPECIAL = {"args", "value", "errno", "const"}
# those of the names that every .mpy of version 6 writes as one byte (py/makeqstrdata.py) which are nobody's method here
STATIC = """abs all any builtins bytecode callable chr classmethod dir divmod eval exec format globals hash id
 insert isalpha islower isspace issubclass isupper iter little locals map micropython object ord popitem range
 readline repr reverse rindex round rsplit rstrip send sep setdefault sort sorted staticmethod sum throw""".split()


@functools.lru_cache
def listed(path: Path) -> frozenset[str]:
    """The words of a text file, without the lines that begin with #."""
    return frozenset(
        word for line in path.read_text().splitlines() if line[:1] != "#" for word in line.split()
    )


def identifiers(tree: ast.AST) -> set[str]:
    """All names in a tree, keywords of calls and arguments included."""
    found: set[str | None] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            found.add(node.id)
        elif isinstance(node, ast.Attribute):
            found.add(node.attr)
        elif isinstance(node, (ast.arg, ast.keyword)):
            found.add(node.arg)
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            found.add(node.name)
        elif isinstance(node, ast.alias):
            found |= {node.asname or "", *node.name.split(".")}
        elif isinstance(node, ast.ImportFrom):
            found |= set((node.module or "").split("."))
        elif isinstance(node, ast.Global):
            found |= set(node.names)
    return {name for name in found if name}


def defined(tree: ast.AST) -> list[str]:
    """The names of functions, classes, attributes that are set, and globals, in the order of the text."""
    found: dict[str, None] = {}
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            found[node.name] = None
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            found[node.attr] = None
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef)):
            for statement in node.body:
                for target in getattr(statement, "targets", ()):
                    found.update((name.id, None) for name in ast.walk(target) if isinstance(name, ast.Name))
    return list(found)


def spoken(tree: ast.AST) -> set[str]:
    """The names that a module passes to getattr, setattr and hasattr as text; these are not renamed.

    If one of these calls takes its name from a variable, every text of the module counts as such a name.
    """
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("getattr", "setattr", "hasattr"):
            if isinstance(node.args[1], ast.Constant):
                found.add(str(node.args[1].value))
            else:
                found |= {
                    text.value
                    for text in ast.walk(tree)
                    if isinstance(text, ast.Constant)
                    and isinstance(text.value, str)
                    and text.value.isidentifier()
                }
    return found


def own(texts: Iterable[str], public: set[str] | frozenset[str]) -> list[list[str]]:
    """For each of the sources `texts`, its top-level names that no other source uses."""
    trees = [ast.parse(text) for text in texts]
    used = [identifiers(tree) for tree in trees]
    found = []
    named = set().union(*map(spoken, trees))
    for at, tree in enumerate(trees):
        others = set().union(*(names for number, names in enumerate(used) if number != at))
        others |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        others |= {node.name for node in ast.walk(tree) if isinstance(node, ast.ExceptHandler) and node.name}
        others |= public | named | listed(HELD)
        found.append([name for name in top_level(tree) if name not in others and name[:2] != "__"])
    return found


def top_level(tree: ast.Module) -> list[str]:
    """The functions, classes and globals of a source, in the order of the text."""
    found: dict[str, None] = {}
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            found[node.name] = None
        for target in getattr(node, "targets", ()):
            found.update((name.id, None) for name in ast.walk(target) if isinstance(name, ast.Name))
    return list(found)


def own_table(
    text: str, names: Iterable[str], short: Mapping[str, str], foreign: set[str] | frozenset[str]
) -> dict[str, str]:
    """{name: short name} for the `names` that only the source `text` has; `short` are those that it has from all."""
    here = identifiers(ast.parse(text))
    taken = here | {short[name] for name in here if name in short} | foreign | SPECIAL | set(keyword.kwlist)
    free = [name for name in listed(HELD) - taken - set(dir(builtins)) if len(name) > 1 and name.islower()]
    free = [name for name in STATIC if name in free] + sorted(
        set(free) - set(STATIC), key=lambda n: (len(n), n)
    )
    return dict(zip(names, free))


def table(
    texts: Iterable[str],
    public: set[str] | frozenset[str],
    foreign: set[str] | frozenset[str],
    owned: Container[str] = (),
    last: Mapping[str, int] | None = None,
) -> dict[str, str]:
    """{name: short name} for the sources `texts`: first for what the first two use, then for what most do.

    `public` names stay, as those that are `owned` by one source; those in `foreign`, which what is not of the package
    uses, are given to nothing. The names in `last` come after all others, those with a higher number later.
    """
    trees = [ast.parse(text) for text in texts]
    public = public.union(*map(spoken, trees))
    used = set().union(*map(identifiers, trees))
    words = {
        node.id if isinstance(node, ast.Name) else node.arg
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, (ast.Name, ast.arg, ast.keyword))
    }
    words.update(*map(top_level, trees))  # a global would hide what it is called like
    taken = public | foreign | SPECIAL | set(keyword.kwlist)
    free = [
        name for name in listed(HELD) - used - taken - set(dir(builtins)) if len(name) > 1 and name.islower()
    ]
    free = [name for name in STATIC if name in free] + sorted(
        set(free) - set(STATIC), key=lambda n: (len(n), n)
    )
    attributes = {node.attr for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    python = words & set(dir(builtins))  # a method called like one of them must not take its name away
    # a method or attribute may be called like a function of Python's: nobody can mistake it for that
    hidden = [name for name in STATIC if name not in taken | attributes and name in dir(builtins)]
    # nor for an argument; what the first uses has the shortest of the others
    letters = [letter for letter in LETTERS if letter not in taken | attributes]
    where = [identifiers(tree) for tree in trees]
    known = dict.fromkeys(name for tree in trees for name in defined(tree))
    names = [
        name
        for name in known
        if name not in public
        and name not in owned
        and name not in python
        and name not in listed(HELD)
        and name[:2] != "__"
        and len(name) > 1
    ]
    names.sort(
        key=lambda name: (
            *(name not in unit for unit in where[:6]),
            (last or {}).get(name, 0),
            -sum(name in unit for unit in where),
        )
    )
    short = {}
    for name in names:
        if name not in where[0]:
            hidden += letters
            letters = []
        choice = hidden if hidden and name not in words and name in attributes else free
        if choice:
            short[name] = choice.pop(0)
    return short


def keywords(tree: ast.AST) -> set[str]:
    """The names of arguments that are passed by name."""
    return {node.arg for node in ast.walk(tree) if isinstance(node, ast.keyword) and node.arg is not None}


def shorten(text: str, short: Mapping[str, str], public: Container[str], by_name: Container[str]) -> str:
    """`text` with the names of `short` in their short form and arguments as letters; lines stay where they are.

    The arguments of `public` functions stay, and those that somebody passes `by_name`.
    """
    tree = ast.parse(text)
    changes = []
    letters = _letters(tree, public, by_name)
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            new = letters.get(node, short.get(node.id))
            if new:
                changes.append((node.lineno, node.col_offset, node.id, new))
        elif isinstance(node, ast.arg) and (node in letters or node.arg in short):
            changes.append((node.lineno, node.col_offset, node.arg, letters.get(node) or short[node.arg]))
        elif isinstance(node, ast.keyword) and node.arg and node.arg in short:
            changes.append((node.lineno, node.col_offset, node.arg, short[node.arg]))
        elif isinstance(node, ast.Attribute) and node.attr in short:
            changes.append(_named(node, short))
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef)) and node.name in short:
            word = 4 if isinstance(node, ast.FunctionDef) else 6
            changes.append((node.lineno, node.col_offset + word, node.name, short[node.name]))
        elif isinstance(node, (ast.Global, ast.ImportFrom)):
            changes += _listed(text, node, short)
        elif isinstance(node, ast.ExceptHandler) and node.name in short:
            raise ValueError(
                f"line {node.lineno}: '{node.name}' is a name of an exception and of something else"
            )
    return _replaced(text, changes)


def attributes(text: str, short: Mapping[str, str]) -> str:
    """`text` with the attributes of `short` in their short form."""
    return _replaced(
        text,
        [
            _named(node, short)
            for node in ast.walk(ast.parse(text))
            if isinstance(node, ast.Attribute) and node.attr in short
        ],
    )


def _named(node, short):
    """The change of an attribute's name, which is the last of its text."""
    return node.end_lineno, node.end_col_offset - len(node.attr.encode()), node.attr, short[node.attr]


def _listed(text, node, short):
    """Changes in a statement that lists names: global a, b; from x import a as b."""
    line = text.split("\n")[node.lineno - 1]
    names = node.names if isinstance(node, ast.Global) else [item.name for item in node.names]
    at = node.col_offset + (
        7 if isinstance(node, ast.Global) else line[node.col_offset :].index(" import ") + 8
    )
    for name in names:
        at = line.index(name, at)
        if name in short:
            yield node.lineno, at, name, short[name]
        at += len(name)


def _letters(tree, public, by_name):
    """{node: letter} for the arguments that nobody passes by name, where they stand and where they are used."""
    found: dict[str, None] = {}

    def visit(function, outer):
        """`outer` {argument: letter} holds in the function around."""
        body = list(_own(function))
        arguments = [arg for arg in ast.walk(function.args) if isinstance(arg, ast.arg)]
        stored = {node.id for node in body if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
        here = {
            name: letter
            for name, letter in outer.items()
            if name not in stored and name not in {arg.arg for arg in arguments}
        }
        taken = {node.id for node in ast.walk(function) if isinstance(node, ast.Name)} | set(here.values())
        taken |= {
            arg.arg
            for node in ast.walk(function)
            if isinstance(node, (ast.FunctionDef, ast.Lambda))
            for arg in ast.walk(node.args)
            if isinstance(arg, ast.arg)
        }
        stay = by_name | (public if getattr(function, "name", "") in public else set())
        for arg in arguments:
            if arg.arg != "self" and arg.arg not in stay and len(arg.arg) > 1:
                letter = next(letter for letter in LETTERS if letter not in taken)
                taken.add(letter)
                here[arg.arg] = found[arg] = letter
        for node in body:
            if isinstance(node, ast.Name) and node.id in here:
                found[node] = here[node.id]
            elif isinstance(node, (ast.FunctionDef, ast.Lambda)):
                visit(node, here)

    def walk(node):
        for child in ast.iter_child_nodes(node):
            if isinstance(child, (ast.FunctionDef, ast.Lambda)):
                visit(child, {})
            else:
                walk(child)

    walk(tree)
    return found


def _own(function):
    """The nodes of a function's body, with the functions in it but not their inside; their defaults are outside."""
    todo = list(function.body) if isinstance(function.body, list) else [function.body]
    while todo:
        node = todo.pop()
        yield node
        if isinstance(node, (ast.FunctionDef, ast.Lambda)):
            todo += node.args.defaults
        else:
            todo += ast.iter_child_nodes(node)


def _replaced(text, changes):
    lines = text.encode().split(b"\n")
    for number, column, old, new in sorted(set(changes), reverse=True):
        line, old = lines[number - 1], old.encode()
        assert line[column : column + len(old)] == old, (number, column, old, line)
        lines[number - 1] = line[:column] + new.encode() + line[column + len(old) :]
    return b"\n".join(lines).decode()
