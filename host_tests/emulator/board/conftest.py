import pytest

from host_tests.support import peers
from host_tests.support.device_tests import INTERPRETERS
from tools.emulator.board.boot import Board
from tools.image import flash_image


@pytest.fixture(params=list(INTERPRETERS))
def interpreter(request):
    """What `Board` takes for each of the two interpreters."""
    return INTERPRETERS[request.param]


@pytest.fixture(scope="session")
def image():
    """`image(main, **files)`: a flash without firmware whose /main.py is that text."""

    def build(main, files=None):
        content = {"/main.py": main.encode(), **(files or {})}
        return flash_image.build(with_firmware=False, files=content)

    return build


@pytest.fixture
def board(interpreter, image, tmp_path):
    """`board(main, **options)`: a board that runs this text; switched off at the end."""
    made = []

    def make(main, files=None, **options):
        made.append(
            Board(image(main, files), interpreter=interpreter, folder=tmp_path / str(len(made)), **options)
        )
        return made[-1]

    yield make
    for one in made:
        if one.on:
            one.power_off()


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
