"""The chip's error numbers: those of newlib, which differ from Linux above 95.

One thing is not as on a chip: source that the Unix port compiles itself, which
is boot.py and main.py, has `errno.NAME` folded to the host's number.
"""

_NUMBERS = (
    b"EPERM 1 ENOENT 2 EIO 5 EBADF 9 EAGAIN 11 ENOMEM 12 EACCES 13 EEXIST 17 ENODEV 19 EISDIR 21 EINVAL 22 "
    b"EOPNOTSUPP 95 ECONNRESET 104 ENOBUFS 105 ECONNREFUSED 111 EADDRINUSE 112 ECONNABORTED 113 ETIMEDOUT 116 "
    b"EHOSTUNREACH 118 EINPROGRESS 119 EALREADY 120 ENOTCONN 128"
)


def __getattr__(name):
    words = iter(_NUMBERS.decode().split())
    numbers = {word: int(next(words)) for word in words}
    if name == "errorcode":
        return {number: word for word, number in numbers.items()}
    if name in numbers:
        return numbers[name]
    raise AttributeError(name)
