"""Joins modules of one package into a module, and remembers where each line came from.

Each import costs a board a search through a folder, and each module a dict and a table of names. So modules that
are always loaded together become one file. The sources stay as they are:

- `from package.x import y` between two of them is dropped, and `x.y` becomes `y`;
- imports of other modules stand at the beginning, once; those that MicroPython would look for in the file system
  before it takes its own go by the name that it does not look for (`ujson`);
- names with an underscore that two modules have get the module's name behind them. Two public names that are the
  same are an error, as is a local name that would hide what `x.y` became, in this unit or out of another: rename
  one in the sources, or import y itself;
- docstrings, comments and blank lines go.
"""

import ast
import io
import tokenize
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

# modules of MicroPython's own that it looks for in the file system first, at every import statement
EXTENSIBLE = frozenset(
    "array binascii collections errno hashlib io json machine os select socket struct time".split()
)


class JoinError(Exception):
    """The sources cannot be joined; the text says why, and where."""


@dataclass
class Module:
    """One source: its dotted name, its text, and what it defines at top level."""

    name: str
    text: str
    tree: ast.Module = field(init=False)
    names: set[str] = field(init=False, default_factory=set)

    def __post_init__(self):
        self.tree = ast.parse(self.text)
        for node in self.tree.body:
            self.names |= _defined(node)

    @property
    def stem(self) -> str:
        return self.name.rpartition(".")[2]


@dataclass
class Joined:
    """The joined source, and for each of its lines (module, line in that module's source), or None."""

    text: str
    lines: list[tuple[str, int] | None]


class Joiner:
    """Joins `members` (a list of Module) into the module `unit`.

    `homes` {module: unit} says where the other modules of the package are found: what is not a member is imported
    from there.
    """

    def __init__(
        self, unit: str, members: Sequence[Module], homes: Mapping[str, str], package: str = "aliot"
    ) -> None:
        self.unit, self.members, self.homes, self.package = unit, members, homes, package
        self.by_name = {module.name: module for module in members}
        self.header: dict[str, None] = {}  # line -> None, in order
        self.bound: dict[str, str] = {}  # name that the header binds -> its line
        self.renamed = _renamed(members)

    def join(self) -> Joined:
        parts = [(module, self._rewritten(module)) for module in self.members]
        lines: list[str] = []
        origins: list[tuple[str, int] | None] = []
        for line in _gathered(self.header):
            lines.append(line)
            origins.append(None)
        for module, text in parts:
            for number, line in _stripped(text):
                lines.append(line)
                origins.append((module.name, number))
        return Joined("\n".join(lines) + "\n", origins)

    # --- one module

    def _rewritten(self, module):
        """Its text with as many lines as before."""
        scopes = _Scopes(module)
        aliases, changes = (
            {},
            [],
        )  # local name -> what it stands for: a module's name, or a global of the joined one
        own = {name: self.renamed.get((module.name, name), name) for name in module.names}
        values = {name: new for name, new in own.items() if new != name}
        for node in ast.walk(module.tree):
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                late = node not in module.tree.body
                changes.append((node, self._import(module, node, aliases, values, late)))
        for node in ast.walk(module.tree):
            changes += self._changed(module, node, aliases, values, scopes)
        return replaced(module.text, changes)

    def _import(self, module, node, aliases, values, late):
        """What stands in place of an import statement; fills `aliases` and `values`.

        One in a function (`late`) stays there, unless it is of a member.
        """
        stays = []
        for item in node.names:
            local = item.asname or item.name
            source = f"{getattr(node, 'module', None)}.{item.name}"
            if isinstance(node, ast.Import):
                if item.name == self.package:
                    aliases[local] = self.package
                    continue
                line = f"import {_own_name(item.name)}" + (
                    f" as {local}" if _own_name(item.name) != local else ""
                )
            elif source in self.homes and (not late or source in self.by_name):
                aliases[local] = source
                continue
            elif source in self.homes:
                package, _, last = self._home(source).rpartition(".")
                line = (
                    (f"from {package} " if package else "")
                    + f"import {last}"
                    + (f" as {local}" if last != local else "")
                )
            elif node.module in self.by_name:
                new = self.renamed.get((node.module, item.name), item.name)
                if new != local:
                    values[local] = new
                continue
            elif source == "micropython.const":
                continue
            else:
                home = self._home(node.module) if node.module.partition(".")[0] == self.package else None
                line = f"from {home or _own_name(node.module)} import {item.name}"
                line += f" as {local}" if item.asname else ""
            stays.append(line) if late else self._head(line, local)
        return "; ".join(stays) or "pass"

    def _home(self, name):
        if name not in self.homes:
            raise JoinError(f"{self.unit}: no unit has {name}")
        return self.homes[name]

    def _head(self, line, local):
        if self.bound.setdefault(local, line) != line:
            raise JoinError(f"{self.unit}: '{local}' is two things: {self.bound[local]}; {line}")
        self.header[line] = None

    def _changed(self, module, node, aliases, values, scopes):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in aliases:
            if scopes.hides(node.value, node.value.id):
                return []
            return [(node, self._attribute(module, node, aliases[node.value.id], scopes))]
        if isinstance(node, ast.Name) and node.id in aliases and not scopes.hides(node, node.id):
            if not isinstance(scopes.parents[node], ast.Attribute):
                raise JoinError(f"{module.name} line {node.lineno}: the module {node.id} is used as a value")
            return []
        if isinstance(node, ast.Name) and node.id in values and not scopes.hides(node, node.id):
            return [(node, values[node.id])]
        if isinstance(node, ast.Global):
            return [(node, "global " + ", ".join(values.get(name, name) for name in node.names))]
        if (
            isinstance(node, (ast.FunctionDef, ast.ClassDef))
            and node in module.tree.body
            and node.name in values
        ):
            return [(_NameOf(node, module.text), values[node.name])]
        return []

    def _attribute(self, module, node, name, scopes):
        """What `x.y` becomes, where x stands for the module `name`."""
        attribute = self.renamed.get((name, node.attr), node.attr)
        if name in self.by_name:
            if scopes.hides(node.value, attribute):
                raise JoinError(f"{module.name} line {node.lineno}: a local name hides {name}.{attribute}")
            if attribute not in self.by_name[name].names:
                raise JoinError(f"{module.name} line {node.lineno}: {name} has no {attribute}")
            return attribute
        home = self._home(name)
        package, _, local = home.rpartition(".")
        if scopes.hides(node.value, local):
            raise JoinError(
                f"{module.name} line {node.lineno}: a local name hides {home}, where {name}.{attribute} is"
            )
        self._head(f"from {package} import {local}" if package else f"import {local}", local)
        return f"{local}.{attribute}"


def _gathered(lines):
    """Import statements with all that comes from one module in one."""
    found = {}
    for line in lines:
        head, word, names = line.partition(" import ") if line.startswith("from ") else (line, "", "")
        found.setdefault((head, word), []).append(names)
    return [head + word + ", ".join(names) for (head, word), names in found.items()]


class _NameOf:
    """The place of a definition's name in its text."""

    def __init__(self, node, text):
        line = text.split("\n")[node.lineno - 1]
        word = "def " if isinstance(node, ast.FunctionDef) else "class "
        begin = line.index(word, node.col_offset) + len(word)
        self.lineno = self.end_lineno = node.lineno
        self.col_offset, self.end_col_offset = begin, begin + len(node.name)


class _Scopes:
    """Which names are local where."""

    def __init__(self, module):
        self.parents = {}
        for node in ast.walk(module.tree):
            for child in ast.iter_child_nodes(node):
                self.parents[child] = node
        self.locals = {}

    def hides(self, node, name):
        """Whether `name` is a local one where `node` stands."""
        while node in self.parents:
            node = self.parents[node]
            if isinstance(node, (ast.FunctionDef, ast.Lambda)) and name in self._of(node):
                return True
            if isinstance(node, (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)):
                if any(name in _targets(part.target) for part in node.generators):
                    return True
        return False

    def _of(self, function):
        if function not in self.locals:
            found = {arg.arg for arg in ast.walk(function.args) if isinstance(arg, ast.arg)}
            outside = set()
            for node in _inside(function):
                if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                    found.add(node.id)
                elif isinstance(node, ast.FunctionDef):
                    found.add(node.name)
                elif isinstance(node, ast.ExceptHandler) and node.name:
                    found.add(node.name)
                elif isinstance(node, ast.Global):
                    outside |= set(node.names)
            self.locals[function] = found - outside
        return self.locals[function]


def _inside(function):
    """The nodes of a function without those of the functions in it."""
    todo = list(ast.iter_child_nodes(function))
    while todo:
        node = todo.pop()
        yield node
        if not isinstance(node, (ast.FunctionDef, ast.Lambda)):
            todo += ast.iter_child_nodes(node)


def _targets(node):
    return {name.id for name in ast.walk(node) if isinstance(name, ast.Name)}


def _defined(node):
    """The names that a statement at top level binds, imports apart."""
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        return {node.name}
    if isinstance(node, ast.Assign):
        return set().union(*map(_targets, node.targets))
    return set()


def _renamed(members):
    """{(module, name): new name} of the names with an underscore that two members have."""
    seen, renamed = {}, {}
    for module in members:
        for name in sorted(module.names):
            if name not in seen:
                seen[name] = module.name
            elif name[0] == "_":
                renamed[module.name, name] = f"{name}_{module.stem}"
            else:
                raise JoinError(f"{seen[name]} and {module.name} both have '{name}'")
    return renamed


def _own_name(module):
    return "u" + module if module in EXTENSIBLE else module


def replaced(text: str, changes: Iterable[tuple[ast.stmt | ast.expr, str]]) -> str:
    """`text` with each node of `changes` replaced, and as many lines as before; what lies in another is left out."""
    lines = text.encode().split(b"\n")  # the tree counts bytes
    places = [
        ((node.lineno, node.col_offset), (node.end_lineno or 0, node.end_col_offset), new)
        for node, new in changes
    ]
    outer = [
        place
        for place in places
        if not any(
            other is not place
            and other[0] <= place[0]
            and place[1] <= other[1]
            and (other[0], other[1]) != (place[0], place[1])
            for other in places
        )
    ]
    for begin, end, new in sorted(set(outer), reverse=True):
        first, last = begin[0] - 1, end[0] - 1
        joined = lines[first][: begin[1]] + new.encode() + lines[last][end[1] :]
        lines[first : last + 1] = [joined] + [b""] * (last - first)
    return b"\n".join(lines).decode()


def _stripped(text):
    """(number, line) of the lines that say something: no docstrings, comments and blank lines, no idle `pass`."""
    tree = ast.parse(text)
    lines = text.split("\n")
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if not isinstance(body, list):
            continue
        for statement in body:
            idle = (
                isinstance(statement, ast.Pass)
                or isinstance(statement, ast.Expr)
                and isinstance(statement.value, ast.Constant)
            )
            if idle:
                only = not isinstance(node, ast.Module) and all(
                    isinstance(one, ast.Pass)
                    or isinstance(one, ast.Expr)
                    and isinstance(one.value, ast.Constant)
                    for one in body
                )
                first = lines[statement.lineno - 1]
                for number in range(statement.lineno, statement.end_lineno + 1):
                    lines[number - 1] = ""
                if only and statement is body[0]:
                    lines[statement.lineno - 1] = first[: statement.col_offset] + "pass"
    kept = set()
    for token in tokenize.generate_tokens(io.StringIO("\n".join(lines)).readline):
        if token.type not in (
            tokenize.COMMENT,
            tokenize.NL,
            tokenize.NEWLINE,
            tokenize.INDENT,
            tokenize.DEDENT,
            tokenize.ENDMARKER,
        ):
            kept.update(range(token.start[0], token.end[0] + 1))
    return [(number, lines[number - 1]) for number in sorted(kept)]
