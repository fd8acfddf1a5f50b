"""What runs once the chip boots from flash: the host's MicroPython, a process on the same flash file."""

import asyncio
import contextlib

from tools.emulator.board.boot import Board, BoardError


class Software:
    """Makes the processes of one chip. `efuses`: its `Efuses`; `cloud`: run directory of an emulated cloud, or None."""

    def __init__(
        self,
        nor,
        mac,
        efuses,
        *,
        cloud=None,
        heap=None,
        interpreter=None,
        hosts=None,
        folder=None,
        memory=None,
    ):
        self._nor = nor
        self.board = Board(
            nor.path,
            mac=mac,
            cloud=cloud,
            heap=heap,
            interpreter=interpreter,
            hosts=hosts,
            folder=folder,
            memory=memory,
            sealed=True,
            chip=efuses.model.name,
            efuses=efuses.image,
        )

    def __call__(self, cause, transmit, ended):
        """Start with the cause that `machine.reset_cause()` shall give; called in the chip's event loop."""
        return _Run(self.board, self._nor, cause, transmit, ended)


class _Run:
    """One process, from reset to reset. What its thread says is handed over to the chip's event loop."""

    def __init__(self, board, nor, cause, transmit, ended):
        self._board, self._nor = board, nor
        loop = asyncio.get_running_loop()
        left = nor.cut_at - nor.operations if nor.cut_at and nor.cut_at > nor.operations else None

        def console(data):
            _hand_over(loop, transmit, data)

        def end(reason):
            _hand_over(loop, self._ended, ended, reason)

        board.start(cause=cause, cut_at=left, torn=True, console=console, ended=end, follow="soft")

    def write(self, data):
        """Bytes for its console."""
        with contextlib.suppress(BoardError):  # it has died: `ended` hears of it
            self._board.send(data)

    def stop(self):
        """Power or EN goes low."""
        self._nor.operations += self._board.operations
        self._board.power_off()

    def _ended(self, ended, reason):
        self._nor.operations += self._board.operations
        ended(reason)


def _hand_over(loop, function, *arguments):
    try:
        loop.call_soon_threadsafe(function, *arguments)
    except RuntimeError:
        pass  # the loop was closed: nobody listens any more
