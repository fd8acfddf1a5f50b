"""The parts of `make bench`. A part is a module with `report(scale)`, which gives a `report.Report`.

`scale` is a factor on how often a figure is taken; bounds do not depend on it. What another room measures is
a part by a row here and a few lines in a module of this folder.
"""

# part -> (module, what it measures)
PARTS = {
    "sizes": ("host_tests.bench.sizes", "bytes of .mpy, module by module"),
    "link": ("host_tests.bench.link", "connect and QoS 1 round trips against umqtt.simple alone"),
    "boot": ("host_tests.bench.boot", "the phases of a boot"),
    "heap": ("host_tests.bench.heap", "heap in use, and the smallest heap for each way and each fault"),
    "id2": ("host_tests.bench.id2", "iTLS with an ID² beside TLS: connect, bytes, heap, code"),
    "x509": ("host_tests.bench.x509", "mutual TLS beside plain TLS: bytes, heap; a key made on the board"),
    "cloud": ("host_tests.bench.load", "what the emulated cloud carries"),
    "flash": ("host_tests.bench.flash", "flashing the emulated board at 921600 baud, against esptool alone"),
    "line": (
        "host_tests.bench.line",
        "the production line: allocations, burns, eight boards at once, images",
    ),
    "gateways": (
        "host_tests.bench.gateways",
        "100 and 1,500 sub-devices of a gateway online again after a reconnect",
    ),
    "ca": ("host_tests.bench.issuing", "certificates issued by the private CA"),
}
