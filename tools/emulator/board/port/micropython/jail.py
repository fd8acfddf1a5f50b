"""What holds a sealed board: names of the host are taken out of the interpreter, and Linux refuses what is left.

Python cannot hide what C has: a module of the interpreter is found again under its own name, whatever `sys.modules`
holds. So its table of names is overwritten in memory. What machine code could still ask of the kernel (a chip runs
`viper` code and .mpy files too), Landlock and a filter of system calls refuse, where the kernel has them.
"""

import sys

import vfs

import _chip

# interpreter's module -> names that no chip has; None: all of them
_GONE = (
    ("ffi", None),
    ("jni", None),
    ("termios", None),
    ("umachine", None),
    ("usocket", None),
    ("uos", ("VfsPosix", "getenv", "putenv", "system", "unsetenv")),
    ("vfs", ("VfsPosix", "rom_ioctl")),
)
# linux/landlock.h: rights of files up to each version of its interface, and what serves the port in its own folder
_FILES = (0x1FFF, 0x3FFF, 0x7FFF, 0x7FFF, 0xFFFF)
_OWN = 0x10E | 0x4000  # WRITE_FILE, READ_FILE, READ_DIR, MAKE_REG, TRUNCATE
_READ = 0xC
_CONNECT = 2  # LANDLOCK_ACCESS_NET_CONNECT_TCP
_WORD = 8 if sys.maxsize >> 32 else 4  # bytes
# what may be asked of a host socket
_CALLS = (
    "accept",
    "bind",
    "close",
    "connect",
    "fileno",
    "listen",
    "read",
    "readinto",
    "readline",
    "recv",
    "recvfrom",
    "send",
    "sendto",
    "setblocking",
    "setsockopt",
    "settimeout",
    "write",
)


def close(settings):
    """From here on nothing of the host is in reach but the board's own files and the emulated cloud."""
    with _chip.open(settings["routes"]) as file:
        routes = [route.decode().partition("=")[2] for line in file for route in line.split()[2:]]
    written = [settings[name] for name in ("clock", "rtc", "joined", "count", "heap")]
    read = [settings[name] for name in ("routes", "air") if name in settings]
    rom = settings["rom"]
    if rom[-6:] == ".romfs":
        rom = None
    else:
        vfs.umount("/.frozen")
        vfs.mount(_readable(rom), "/.frozen")
    _files(vfs.VfsPosix(), written, written + read)
    _sockets(_chip.raw_socket, _chip.usocket.getaddrinfo, _chip.poll, routes)
    _timer(_chip._libc.func)
    confine(_chip._libc.func, settings["sealed"], rom, routes, settings["socket"])
    for name in ("_host", "_libc", "usocket", "ffi", "vfs", "map_file", "remove", "end_with_parent"):
        delattr(_chip, name)
    sys.argv[:] = ()
    del sys.modules["_chip"]


# Each of these puts functions into `_chip` that hold what is the host's where no program of the board can take it.


def _files(host, written, known):
    def open(path, mode="rb"):
        if path not in known or mode != "rb" and path not in written:
            raise OSError(2)
        return host.open(path, mode)

    def size(path):
        try:
            return host.stat(path)[6] if path in known else -1
        except OSError:
            return -1

    _chip.open, _chip.size = open, size


def _sockets(make, lookup, poll, routes):
    behind = {}  # id of a `Line`: the host's socket

    class Line:
        def __getattr__(self, name):
            if name not in _CALLS:
                raise AttributeError(name)
            raw = behind[id(self)]
            if name == "accept":
                return lambda: accept(raw)
            if name in ("connect", "sendto", "bind"):
                return lambda *arguments: getattr(raw, name)(*arguments[:-1], checked(name, *arguments[-1]))
            if name == "close":
                del behind[id(self)]
            return getattr(raw, name)

    def line(raw):
        made = Line()
        behind[id(made)] = raw
        return made

    def accept(raw):
        there, peer = raw.accept()
        return line(there), peer

    def checked(name, host, port):
        if name == "bind":
            host = "127.0.0.1"  # nobody beyond this machine
        elif "%s:%d" % (host, port) not in routes:
            raise OSError(111)
        return lookup(host, port)[0][-1]

    def raw_socket(family, kind):
        if family != 2 or kind not in (1, 2):
            raise OSError(106)
        return line(make(family, kind))

    _chip.raw_socket = raw_socket
    _chip.address = lambda *where: where
    _chip.poll = lambda made, flags: poll(behind[id(made)], flags)


def _timer(libc):
    set = libc("i", "setitimer", "iPP")

    def alarm(ms):
        timer = (
            bytes(16)
            + (ms // 1000).to_bytes(8, sys.byteorder)
            + (ms % 1000 * 1000).to_bytes(8, sys.byteorder)
        )
        set(0, timer, None)

    _chip.alarm = alarm


def _readable(path):
    """A folder of the host as a file system out of which no path leads, for an interpreter without ROM file systems."""
    files = vfs.VfsPosix(path)

    def inside(call, name, *mode):
        if ".." in name:
            raise OSError(2)
        return call(name, *mode)

    class Folder:
        def mount(self, *_):
            pass

        umount = chdir = mount

        def stat(self, name):
            return inside(files.stat, name)

        def open(self, name, mode):
            return inside(files.open, name, "rb")

        def ilistdir(self, name):
            return inside(files.ilistdir, name)

    return Folder()


def confine(libc, folder, rom, routes, call):
    """Leave nothing of the host but `folder`, the ports of `routes`, and to be read the folder `rom`, if there is one.

    `libc` makes functions of the C library. `call` is (machine, number of the system call `socket`), or None where it
    is not known.
    """
    import uctypes

    prctl = libc("i", "prctl", "iLLLL")
    if not prctl(38, 1, 0, 0, 0):  # PR_SET_NO_NEW_PRIVS
        _landlock(folder, rom, [int(route.rpartition(":")[2]) for route in routes], libc, uctypes)
        if call:
            _filter(call, prctl, uctypes)
    mprotect, page = libc("i", "mprotect", "PLi"), libc("i", "getpagesize", "")()
    known = dict(sys.modules)  # with the port's own in place of the interpreter's
    for module, gone in _GONE:
        sys.modules.pop(module, None)
        try:
            _empty(__import__(module), gone, mprotect, page, uctypes)
        except ImportError:
            pass
    sys.modules.clear()
    sys.modules.update(known)


def _empty(module, gone, mprotect, page, uctypes):
    """Overwrite names of a module of the interpreter with that of its first one, `__name__`."""
    names = _word(uctypes, id(module) + _WORD)  # mp_obj_module_t.globals, an mp_obj_dict_t
    count, table = _word(uctypes, names + 2 * _WORD), _word(uctypes, names + 3 * _WORD)
    first, size = table // page * page, 2 * _WORD  # a row is a name and what it names
    if mprotect(first, table + size * count - first, 3):
        raise OSError(1)
    rows = uctypes.bytearray_at(table, size * count)
    bad = gone and [id(name) for name in gone]
    for at in range(size, len(rows), size):
        if not bad or int.from_bytes(rows[at : at + _WORD], sys.byteorder) in bad:
            rows[at : at + size] = rows[:size]


def _word(uctypes, at):
    return int.from_bytes(uctypes.bytes_at(at, _WORD), sys.byteorder)


def _bytes(*numbers):
    return b"".join([number.to_bytes(8, sys.byteorder) for number in numbers])


def _landlock(folder, rom, ports, libc, uctypes):
    create = libc("i", "syscall", "LPLL")
    version = create(444, None, 0, 1)
    if version < 1:
        return
    files = _FILES[min(version, len(_FILES)) - 1]
    rules = _bytes(files, _CONNECT, 3)  # 3: no signal and no abstract socket beyond it
    rules = create(444, rules, 8 if version < 4 else 16 if version < 6 else 24, 0)
    add = libc("i", "syscall", "LiiPL")
    for path, rights in ((folder, _OWN), (rom, _READ)):
        if path:
            place = libc("i", "open", "si")(path, 0x200000)  # O_PATH
            add(445, rules, 1, _bytes(files & rights) + place.to_bytes(4, sys.byteorder), 0)
    for port in ports if version >= 4 else ():
        add(445, rules, 2, _bytes(_CONNECT, port), 0)
    libc("i", "syscall", "Lii")(446, rules, 0)


def _filter(call, prctl, uctypes):
    """Refuse every socket that is not IPv4, and what could make one past this filter; linux/filter.h, seccomp.h."""
    machine, number = call
    program = b""
    for code, yes, no, value in (
        (0x20, 0, 0, 4),  # load the machine
        (0x15, 0, 6, machine),
        (0x20, 0, 0, 0),  # load the call
        (0x35, 4, 0, 0x40000000),  # another convention of the same machine
        (0x15, 3, 0, 425),  # io_uring_setup
        (0x15, 0, 3, number),
        (0x20, 0, 0, 16),  # load the family
        (0x15, 1, 0, 2),
        (0x06, 0, 0, 0x50001),  # EPERM
        (0x06, 0, 0, 0x7FFF0000),
    ):
        program += code.to_bytes(2, sys.byteorder) + bytes((yes, no)) + value.to_bytes(4, sys.byteorder)
    prctl(22, 2, uctypes.addressof(_bytes(len(program) // 8, uctypes.addressof(program))), 0, 0)
