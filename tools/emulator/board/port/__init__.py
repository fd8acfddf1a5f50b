"""What the chip has and a host lacks, as modules that the firmware imports by the chip's own names.

`shared/` runs on both interpreters, `micropython/` on the Unix port, `cpython/`
on CPython. Each folder stands first on the module path of an emulated board;
`_chip` is the one module behind them that knows the interpreter: settings, host
files, the end of the process.
"""
