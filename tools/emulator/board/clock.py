"""The clock of an emulated board, which its TLS reads too: libfaketime takes it from a file."""

import time

YEAR_2000 = 946684800  # seconds since 1970; where a chip's clock begins


class Clock:
    """`file` holds how far the board's clock is from the host's, in seconds."""

    def __init__(self, file):
        self.file = file

    def set(self, seconds):
        """Let the board's clock be at `seconds` since 1970."""
        self.file.write_text(f"{seconds - int(time.time()):+d}\n")

    def now(self):
        """What the board's clock says, in seconds since 1970."""
        return time.time() + int(self.file.read_text())

    def environment(self):
        """What the process needs beside the preloaded libfaketime; its ticks are not disturbed."""
        return {
            "TZ": "UTC0",
            "FAKETIME_TIMESTAMP_FILE": str(self.file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DISABLE_SHM": "1",
            "NO_FAKE_STAT": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }
