"""The calls of the guide's section "Services" run, on both interpreters, against a platform that answers them."""

import re
from contextlib import ExitStack

import pytest

from host_tests.support.device_tests import INTERPRETERS, conversation
from host_tests.support.paths import ROOT

CASE = ROOT / "host_tests/firmware/services/guide_calls.py"
TEXT = (ROOT / "firmware/guides/application.md").read_text("utf-8")
SECTION = TEXT.partition("\n## Services\n")[2].partition("\n## ")[0]
CALLS = dict(re.findall(r"### (.+?)\n\n```python\n(.*?)```", SECTION, re.S))
NAMES = "a1ThingPk01/dev_0001"
# subsection -> (what the platform sends, topics that have to go out)
EXPECTED = {
    "Time": ([], [f"/ext/ntp/{NAMES}/request"]),
    "Shadow": ([], [f"/shadow/update/{NAMES}"]),
    "RRPC": (
        [("rrpc/request/5", "ping"), (f"/ext/rrpc/6/{NAMES}/user/get", "{}")],
        ["rrpc/response/5", f"/ext/rrpc/6/{NAMES}/user/get"],
    ),
    "Broadcasts": ([("broadcast/request/5", "x"), ("/broadcast/a1ThingPk01/news", "x")], []),
    "Remote configuration": ([], ["thing/config/get"]),
    "Tags": ([], ["thing/deviceinfo/update", "thing/deviceinfo/delete"]),
    "Log": ([], ["thing/config/log/get", "thing/log/post"]),
    "Upload": ([], ["thing/file/upload/mqtt/init", "thing/file/upload/mqtt/send"]),
    "Jobs": (
        [("thing/job/notify", '{"id":"1","params":{"task":{"taskId":"7","jobDocument":{"do":"x"}}}}')],
        ["thing/job/notify_reply", "thing/job/update"],
    ),
    "Raw data": ([("thing/model/down_raw", "x")], ["thing/model/up_raw", "thing/model/down_raw_reply"]),
}


@pytest.fixture(scope="module", params=list(INTERPRETERS))
def ask(request):
    with ExitStack() as stack:
        yield stack.enter_context(conversation(CASE, request.param, heap="1M"))


def test_each_service_has_its_calls():
    assert CALLS.keys() == EXPECTED.keys()
    modules = {path.stem for path in (ROOT / "firmware/aliot/services").glob("*.pyi")}
    imported = set(re.findall(r"aliot\.services(?:\.| import )(\w+)", SECTION))
    assert imported == modules


@pytest.mark.parametrize("name", EXPECTED)
def test_the_calls_run(ask, name):
    received, sent = EXPECTED[name]
    failed = ask("run", {"code": CALLS[name], "received": received, "sent": sent})
    assert failed is None, failed
