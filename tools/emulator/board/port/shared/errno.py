"""The chip's error numbers: those of newlib, which differ from Linux above 95.

One thing is not as on a chip: source that the Unix port compiles itself, which
is boot.py and main.py, has `errno.NAME` folded to the host's number.
"""

from micropython import const

EPERM = const(1)
ENOENT = const(2)
EIO = const(5)
EBADF = const(9)
EAGAIN = const(11)
ENOMEM = const(12)
EACCES = const(13)
EEXIST = const(17)
ENODEV = const(19)
EISDIR = const(21)
EINVAL = const(22)
EOPNOTSUPP = const(95)
ECONNRESET = const(104)
ENOBUFS = const(105)
ECONNREFUSED = const(111)
EADDRINUSE = const(112)
ECONNABORTED = const(113)
ETIMEDOUT = const(116)
EHOSTUNREACH = const(118)
EINPROGRESS = const(119)
EALREADY = const(120)
ENOTCONN = const(128)


def __getattr__(name):
    if name == "errorcode":
        return {value: key for key, value in globals().items() if key[0] == "E"}
    raise AttributeError(name)
