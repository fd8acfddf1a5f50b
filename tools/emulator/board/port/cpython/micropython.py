"""MicroPython's `micropython`, where CPython has nothing like it."""


def const(value):
    return value


def native(function):
    return function


viper = native


def opt_level(level=None):
    return 0


def mem_info(*_):
    pass


def kbd_intr(key):
    pass


def alloc_emergency_exception_buf(size):
    pass


def schedule(function, argument):
    function(argument)
