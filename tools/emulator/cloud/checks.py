"""Checks in the order of a switch: the walk that every table of checks shares. Pure."""


def first_refusal(order, checks, *case):
    """The code of the first check that fails, or None; `checks` maps a name to a function of `case`."""
    return next((code for name in order if (code := checks[name](*case))), None)
