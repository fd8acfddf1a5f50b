"""The chip's two heaps in figures: what each thing takes of the C heap, and how Python's heap grows out of it.

Pure, in bytes. The figures were taken on stock ESP32_GENERIC 1.25.0 and 1.26.1
against an emulated cloud whose certificate is RSA-2048 and alone in its chain.
WIFI and what is free at power-on are inferred: only their difference was seen.
"""

RELEASES = (("1.25", 146432), ("1.26", 142848))  # free of the C heap at power-on
WIFI = 49152
SOCKET = 1331
PACKETS = 2253  # what lwIP takes for a moment while a socket is open
LINK = 27894  # a TLS connection, and its context with one root
CERTIFICATE = 5632  # a client's certificate and key beside it
HANDSHAKE = 8397  # what a handshake takes for a moment beside its connection
BUFFERS = 22621  # what of a connection must be there before its handshake begins,
RECEIVE = 16717  # and the largest block in it
SIGNATURE = 4096  # up to so much too little, the check of a signature fails,
EXCHANGE = 8192  # up to so much, the exchange of keys; beyond, no packet finds room
LEAST = 160  # what was left when something could not be had

FIRST = 56000  # the first area of Python's heap, without its tables
AREA = 57344  # the same with them
HOLES = 3072  # what of it cannot be used: gaps between objects, and what comes and goes
NEEDED = 2560  # the smallest block that makes an area

_UNTRUSTED = "\nThe certificate is not correctly signed by the trusted CA\n"
_NO_EXCHANGE = (-17040, "RSA - The public key operation failed : BIGNUM - Memory allocation failed")
_NO_BUFFERS = (-32512, "SSL - Memory allocation failed")


def size(value):
    """What Python holds on the chip when it holds `value` on the 64-bit Unix port, the port's share left out."""
    return max(0, 7270 + (value - 20480) * 100 // 154)


class Memory:
    """Both heaps at one moment.

    `on`: is Wi-Fi on; `open`: how many sockets, TLS connections and TLS connections
    with a client certificate are; `heap`: what Python's heap has added to itself;
    `min`: the least that was ever free of the C heap.
    """

    grows = True  # Python's heap does; if not, the C heap shows no block that it could take

    def __init__(self, release=None, on=False, open=(0, 0, 0), heap=0, least=None):
        self.start = dict(RELEASES)[release or "1.26"]
        self.on, self.open, self.heap = on, open, heap
        self.min = self.start if least is None else least
        self.mark(PACKETS if open[0] else 0)

    def free(self, n=0):
        """Bytes that are free of the C heap, or would be with `n` taken; below 0 if that cannot be."""
        sockets, plain, presenting = self.open
        taken = (plain + presenting) * LINK + presenting * CERTIFICATE + sockets * SOCKET
        return self.start - taken - self.heap - (WIFI if self.on else 0) - n

    def block(self):
        """The largest free block of the C heap."""
        free = max(LEAST, self.free())
        gap = 31744 if not self.on else 9216 if self.heap else 5120 if self.open[0] else 1024
        return max(free - gap, free * 2 // 5)

    def mark(self, n=0):
        """Remember how little is free, `n` being taken for a moment."""
        self.min = min(self.min, max(LEAST, self.free(n)))

    def room(self):
        """The size of Python's heap."""
        return FIRST + self.heap * 125 // 128

    def limit(self):
        """What Python can hold on the Unix port before its heap grows."""
        return (self.room() - HOLES - 7270) * 154 // 100 + 20480

    def load(self, size):
        """Python holds `size` bytes that no collection frees: its heap grows until they fit.

        It adds as much as it has, or the largest free block if that is less. MemoryError when that is next to nothing.
        """
        while size > self.room() - HOLES:
            block = self.block()
            if block < NEEDED:
                raise MemoryError(
                    "memory allocation failed, allocating %d bytes" % (size - self.room() + HOLES)
                )
            self.heap += min(AREA + self.heap, block)
            self.mark()

    def collect(self, size):
        """A collection left `size` bytes: what was added is given back when they fit into the first area."""
        if size <= FIRST - HOLES:
            self.heap = 0

    def connect(self, key):
        """What becomes of a TLS handshake that begins now; `key` is 1 with a client certificate, else 0.

        None: it finds room. An exception: the peer's answer leads to that. False:
        no answer comes in. OSError is raised when not even the buffers fit.
        """
        if self.free() < BUFFERS or self.block() < RECEIVE:
            raise OSError(*_NO_BUFFERS)
        left = self.free(LINK + HANDSHAKE + key * CERTIFICATE)
        self.min = min(self.min, max(LEAST, left))
        if left >= 0:
            return None
        if left >= -SIGNATURE:
            return ValueError(_UNTRUSTED)
        return OSError(*_NO_EXCHANGE) if left >= -EXCHANGE else False

    def rows(self):
        """`idf_heap_info(HEAP_DATA)`: what holds the largest free block comes last."""
        free, block = max(LEAST, self.free()), self.block() if self.grows else 0
        rest = min(self.min, free - block)
        small = (free - block) // 2 if self.grows else 0
        return [(155648, free - block, small, rest), (113840, block, block, min(block, self.min - rest))]
