"""The admin API's description: every route is in it, and whatever it allows is answered as it says."""

import re
from types import SimpleNamespace

import hypothesis
import pytest
import schemathesis
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance

from host_tests.support.cloud.client import DN, PK, Running, settings
from tools.emulator.cloud.admin_routes import ROUTES
from tools.emulator.cloud.openapi import describe

ENDLESS = ("/stream",)  # an answer without an end
CHECKS = (not_a_server_error, status_code_conformance, response_schema_conformance)
SCHEMA = schemathesis.openapi.from_dict(describe(SimpleNamespace(token=None), None))


@pytest.fixture(scope="module")
def api(tmp_path_factory, certificates):
    """A cloud of its own: anything may happen to it."""
    chosen = settings(timing={"rrpc_seconds": 0.05})
    with Running(chosen, tmp_path_factory.mktemp("api"), certificates) as running:
        yield running


def test_the_description_has_each_route(api):
    found = api.admin("GET", "/openapi.json")
    assert {(method, path) for path, one in found["paths"].items() for method in one} == {
        (method.lower(), pattern) for method, pattern, _, _ in ROUTES
    }
    names = [one["operationId"] for path in found["paths"].values() for one in path.values()]
    assert len(set(names)) == len(names)


def test_it_asks_for_the_token_where_the_cloud_does():
    found = describe(SimpleNamespace(token="x"), None)
    assert found["security"] == [{"ready": []}]
    assert found["components"]["securitySchemes"]["ready"]["scheme"] == "bearer"


@SCHEMA.exclude(path=list(ENDLESS)).parametrize()
@hypothesis.settings(max_examples=6, derandomize=True, deadline=None)
def test_whatever_is_asked_is_answered_as_described(api, case):
    case.path_parameters = {**(case.path_parameters or {}), **known(case)}
    address = f"http://127.0.0.1:{api.ports['admin']}"
    case.call_and_validate(base_url=address, checks=list(CHECKS), timeout=20)


def known(case):
    """The names of a product and a device that are there, for two examples of three."""
    names = {"pk": PK, "dn": DN} if hash(str(case.body)) % 3 else {}
    return {name: value for name, value in names.items() if re.search(r"\{%s\}" % name, case.path)}
