import sys

from tools.cli import main

for stream in (sys.stdout, sys.stderr):
    if hasattr(stream, "reconfigure"):
        stream.reconfigure(
            errors="backslashreplace"
        )  # no name or text of a board breaks a tool on a narrow terminal

sys.exit(main())
