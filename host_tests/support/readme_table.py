"""A table of a README that is written out of the sources, between `<!-- NAME: begin -->` and `<!-- NAME: end -->`."""

import re

from tools.errors import UserError


def replaced(text, name, table):
    """`text` with `table` between the markers; UserError when those are not there, once and in that order."""
    begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->"
    found = re.fullmatch(f"(.*{begin}).*({end}.*)", text, re.DOTALL)
    if not found or text.count(begin) != 1 or text.count(end) != 1:
        raise UserError(f"there is not one line '{begin.strip()}' before one line '{end}'")
    return f"{found[1]}{table}\n{found[2]}"
