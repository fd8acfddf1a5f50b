"""The first relative import on a board, whose importer the interpreter itself would see."""

import sys


def absolute(name, importer, level):
    """The absolute name of what the module `importer` imports by `name` and `level` points before it.

    When no module is being imported, it is the first package in which `name` is found.
    """
    if importer is None:
        packages = [known for known in sys.modules if hasattr(sys.modules[known], "__path__")]
        return next(package + "." + name for package in packages if _found(package + "." + name))
    parts = importer.split(".")
    if not hasattr(sys.modules[importer], "__path__"):
        parts.pop()
    parts = parts[: len(parts) - level + 1]
    if not parts:
        raise ImportError("can't perform relative import")
    return ".".join(parts + [name] if name else parts)


def _found(name):
    try:
        return __import__(name)
    except ImportError:
        return None
