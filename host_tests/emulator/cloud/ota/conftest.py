import pytest

from host_tests.support.cloud.ota import Campaign


@pytest.fixture
def campaign(tmp_path):
    """`campaign(**settings)` is a `Campaign` in a folder of its own."""
    made = []

    def start(**settings):
        made.append(Campaign(tmp_path / f"run{len(made)}", **settings))
        return made[-1]

    yield start
    for one in made:
        one.close()
