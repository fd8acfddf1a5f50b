"""Our flash files with a stock MicroPython in them, on a QEMU that a person has: the verb `chip`."""
