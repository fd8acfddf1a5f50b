"""An emulated board on a port, for the verbs that talk to one."""

import contextlib

import pytest

from tools.emulator.chip.thread import Bench
from tools.image import flash_image


@pytest.fixture
def plugged_in(cloud, tmp_path):
    """`plugged_in(identity, **image)`: the address of an emulated board that was burned with it, or with None.

    `heap` is that of the board, `config` its settings.
    """
    with contextlib.ExitStack() as boards:

        def plug_in(identity, heap=None, config=None, **image):
            config = {"ssid": "lab", "password": "12345678", **(config or {})}
            (tmp_path / "flash.bin").write_bytes(
                flash_image.build(identity=identity, roots=[cloud.ca_der], config=config, **image)
            )
            board = Bench(
                tmp_path / "flash.bin", software=True, boot_blank=True, cloud=cloud.run_dir, heap=heap
            )
            return boards.enter_context(board).url

        yield plug_in
