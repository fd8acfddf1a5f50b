"""TOML files that a person writes: read, and checked table by table. A fault is one line: file, line, key, rule."""

from __future__ import annotations

import datetime
import difflib
import re
import tomllib
from collections.abc import Collection, Mapping
from typing import Any, cast

from tools.errors import UserError

Path = tuple[str | int, ...]  # of a table: ("product", 2, "device", 1); what is counted begins with 1
Kind = type | tuple[type, ...]

NUMBER = (int, float)
DATE = (datetime.date, datetime.datetime)
KEYS_SHOWN = 30  # a table with more keys than this is not listed in an error
_KINDS: dict[Kind, str] = {
    int: "a whole number",
    NUMBER: "a number",
    str: "a string",
    bool: "true or false",
    list: "an array",
    dict: "a table",
    DATE: "a date, or a date with a time",
}


class Source:
    """The text of one file. It finds the line in which a key stands."""

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.lines = text.splitlines()

    def line(self, table: Path, key: str) -> int | None:
        """The line of `key` in that table, or where `key` begins as a table; else the header of that table.

        None where there is neither.
        """
        wanted, current = tuple(table), cast(Path, ())
        begun = ((*wanted, key), (*wanted, key, 1))
        counts: dict[Path, int] = {}
        header_line: int | None = None
        for number, line in enumerate(self.lines, 1):
            header = re.match(r"\s*(\[\[?)\s*([A-Za-z0-9_.\- ]+?)\s*\]", line)
            if header:
                current = self._path(header, counts)
                if current in begun:
                    return number
                header_line = number if current == wanted else header_line
            elif current == wanted and re.match(rf'\s*"?{re.escape(key)}"?\s*=', line):
                return number
        return header_line

    def _path(self, header: re.Match[str], counts: dict[Path, int]) -> Path:
        names, path = header[2].split("."), cast(Path, ())
        for depth, name in enumerate(names):
            last, path = depth == len(names) - 1, (*path, name)
            if header[1] == "[[" and last:
                counts[path] = counts.get(path, 0) + 1
            if path in counts:
                path = (*path, counts[path])
        return path

    def error(self, table: Path, key: str, rule: str) -> UserError:
        """The UserError about `key` of a table; `rule` says what is wrong with it."""
        number = self.line(table, key)
        place = f"{self.name}, line {number}" if number else self.name
        dotted = ".".join(part for part in (*table, key) if part and not isinstance(part, int))
        return UserError(f"{place}: {dotted}: {rule}" if dotted else f"{place}: {rule}")


class Table:
    """One table of a file. Keys that `keys` does not have are refused.

    `keys` names what may stand in it; as a mapping {key: kind} it checks the kinds too. `needed` has those
    that must be there.
    """

    def __init__(
        self,
        source: Source,
        path: Path,
        values: Any,
        keys: Mapping[str, Kind] | Collection[str],
        needed: Collection[str] = (),
    ) -> None:
        self.source, self.path, self.values = source, path, values
        if not isinstance(values, dict):
            raise source.error(path, "", "must be a table")
        for key in values:
            if key not in keys:
                raise self.error(key, f"is not known here; {hint(key, keys)}")
        for key in keys:
            if isinstance(keys, Mapping):
                self.get(key, keys[key], needed=key in needed)

    def error(self, key: str, rule: str) -> UserError:
        return self.source.error(self.path, key, rule)

    def get(self, key: str, kind: Kind, default: Any = None, needed: bool = False) -> Any:
        """The value of `key`, or the default; UserError when it is of another kind, or needed and missing."""
        if key not in self.values:
            if needed:
                raise self.error(key, "is missing")
            return default
        value = self.values[key]
        if type(value) not in (kind if isinstance(kind, tuple) else (kind,)):
            raise self.error(key, f"must be {_KINDS[kind]}")
        return value

    def choice(self, key: str, allowed: Collection[str], default: str = "") -> str:
        """A string out of `allowed`."""
        value = self.get(key, str, default)
        if value not in allowed:
            raise self.error(key, f"{value!r} is not one of {', '.join(map(repr, allowed))}")
        return value

    def matching(self, key: str, pattern: re.Pattern[str], rule: str, needed: bool = False) -> Any:
        """A string that `pattern` matches in full, or None where there is none; `rule` is the refusal."""
        value = self.get(key, str, needed=needed)
        if value is not None and not pattern.fullmatch(value):
            raise self.error(key, rule)
        return value

    def strings(self, key: str) -> list[str]:
        """A list of strings; empty where there is none."""
        found = self.get(key, list, [])
        if not all(isinstance(one, str) for one in found):
            raise self.error(key, "must be a list of strings")
        return found

    def table(
        self, key: str, keys: Mapping[str, Kind] | Collection[str], needed: Collection[str] = ()
    ) -> Table:
        """The table `key` of this one; an empty one where there is none."""
        return Table(self.source, (*self.path, key), self.get(key, dict, {}), keys, needed)

    def tables(
        self, key: str, keys: Mapping[str, Kind] | Collection[str], needed: Collection[str] = ()
    ) -> list[Table]:
        """Each table of the array `key`."""
        found = self.values.get(key, [])
        if not isinstance(found, list):
            raise self.error(key, "must be an array of tables")
        return [
            Table(self.source, (*self.path, key, number), values, keys, needed)
            for number, values in enumerate(found, 1)
        ]


def parse(
    text: str | bytes,
    name: str,
    keys: Mapping[str, Kind] | Collection[str],
    needed: Collection[str] = (),
) -> Table:
    """The top `Table` of a file's text, which may begin with a byte order mark; `name` stands in errors."""
    try:
        text = text.decode("utf-8-sig") if isinstance(text, bytes) else text
        values = tomllib.loads(text)
    except RecursionError:
        raise UserError(f"{name} cannot be read: something in it is nested too deeply") from None
    except UnicodeDecodeError:
        raise UserError(f"{name} is not UTF-8 text") from None
    except ValueError as error:
        raise UserError(f"{name} is not valid TOML: {error}") from None
    return Table(Source(name, text), (), values, keys, needed)


def hint(key: str, keys: Collection[str]) -> str:
    """What may have been meant by `key`: all that is known, or of very many the nearest."""
    if len(keys) <= KEYS_SHOWN:
        return f"known are {', '.join(keys)}"
    near = difflib.get_close_matches(key, keys, 3)
    return f"is {' or '.join(near)} meant?" if near else "README.md beside the cloud's sources lists what is"
