import asyncio
import json
from types import SimpleNamespace

import pytest

from host_tests.support.cloud.thing import DN, PK, World
from tools.emulator.cloud import cloud_api
from tools.emulator.cloud.admin import AdminApp
from tools.emulator.cloud.web import Request


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


@pytest.fixture
def call():
    """`call(world, name, **parameters)` is the JSON of one call of the cloud's API about its device."""

    def ask(world, name, **values):
        request = Request(
            "POST", "/", {}, {}, json.dumps({"ProductKey": PK, "DeviceName": DN, **values}).encode()
        )
        answer = asyncio.run(
            cloud_api.call(AdminApp(SimpleNamespace(instance=world.instance)), request, name)
        )
        return json.loads(answer.body)

    return ask
