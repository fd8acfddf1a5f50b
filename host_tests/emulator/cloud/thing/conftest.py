import pytest

from host_tests.support.cloud.thing import World


@pytest.fixture
def world(tmp_path):
    """`world(**settings)` is a `World`; a second call has the first one's state."""
    made = []

    def start(**settings):
        if made:
            made[-1].close()
        made.append(World(tmp_path / "run", **settings))
        return made[-1]

    yield start
    for one in made[-1:]:
        one.close()
