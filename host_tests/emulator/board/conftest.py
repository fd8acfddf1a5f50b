import pytest

from host_tests.support import peers
from tools.emulator.board import boot
from tools.image import flash_image


@pytest.fixture(scope="session")
def image():
    """`image(main, **files)`: a flash without firmware whose /main.py is that text."""

    def build(main, files=None):
        content = {"/main.py": main.encode(), **(files or {})}
        return flash_image.build(with_firmware=False, files=content)

    return build


@pytest.fixture
def board(board, image):
    """`board(main, **options)`: a board with boot.MAC that runs this text; switched off at the end."""
    return lambda main, files=None, **options: board(image(main, files), **{"mac": boot.MAC, **options})


@pytest.fixture
def prints(board):
    """`prints(main, **options)`: the lines that this text prints until it ends."""

    def run(main, **options):
        boot = board(main, **options).boot(timeout=30)
        assert boot.reason == "exit", "\n".join(boot.lines)
        return boot.lines

    return run


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    return peers.Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def serve():
    """`serve(handler)`: the (host, port) of a server that lives as long as the tests."""
    made = []

    def start(handler):
        made.append(peers.Peer(handler))
        return made[-1].address

    yield start
    for peer in made:
        peer.close()
