"""Whatever a device, or whoever asks for a file, sends: an answer of the form that is known, or none."""

import json
from types import SimpleNamespace
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from host_tests.emulator.cloud.test_fuzz import json_values, many
from host_tests.support.cloud.ota import DN, FILE, GET, NAMES, PK, Campaign
from tools.emulator.cloud.ota import urls
from tools.emulator.cloud.ota.tasks import MOVES
from tools.emulator.cloud.web import Request

TOPICS = (
    *(f"/ota/device/{kind}/{PK}/{DN}" for kind in ("inform", "progress", "request")),
    GET,
    "thing/file/download",
)
texts = st.sampled_from(["1.0.0", "2.0.0", "MCU", "default", "45", "-1", "", "é", "v" * 65])
numbers = st.integers() | st.floats() | st.sampled_from([0, 1, 2047, 2048])
params = st.fixed_dictionaries(
    {},
    optional={
        "version": texts | json_values,
        "module": texts | json_values,
        "step": texts | numbers | json_values,
        "desc": json_values,
        "fileToken": json_values,
        "fileInfo": st.fixed_dictionaries({}, optional={"streamId": numbers, "fileId": numbers})
        | json_values,
        "fileBlock": st.fixed_dictionaries({}, optional={"size": numbers, "offset": numbers}) | json_values,
    },
)
requests = st.fixed_dictionaries(
    {}, optional={"id": json_values, "params": params | json_values, "sys": json_values}
)


@pytest.fixture(scope="module")
def cloud(tmp_path_factory):
    made = Campaign(tmp_path_factory.mktemp("any") / "run")
    made.online(version="1.0.0")
    made.dynamic(DownloadProtocol="MQTT", RetryInterval=0, RetryCount=5)
    yield made
    made.close()


def check(cloud, found):
    for packet in found:
        if packet.topic.endswith("download_reply"):
            size = int.from_bytes(packet.payload[:2], "big")
            assert json.loads(packet.payload[2 : 2 + size])["code"] in (200, 404, 460)
        else:
            assert json.loads(packet.payload)["code"] in (200, "1000", 460, 500, 6207)
    for task in cloud.instance.ota.campaigns.tasks.values():
        assert task.status in MOVES


@settings(many, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(TOPICS), requests)
def test_any_request(cloud, topic, request):
    check(cloud, cloud.devices[DN].publish(topic, json.dumps(request).encode()))


@many
@given(st.sampled_from(TOPICS), st.binary(max_size=40))
def test_any_bytes(cloud, topic, payload):
    check(cloud, cloud.devices[DN].publish(topic, payload))


queries = st.dictionaries(
    st.sampled_from(["Expires", "OSSAccessKeyId", "Signature", "security-token", "x"]), st.text(max_size=9)
)


@many
@given(queries, st.text(max_size=30), st.text(max_size=12), st.sampled_from(["GET", "HEAD", "POST", "X"]))
def test_any_request_for_a_file_is_refused_and_any_range_is_answered(cloud, changes, path, wanted, method):
    secret, downloads = cloud.instance.ota.downloads.secret, cloud.instance.ota.downloads
    package = next(iter(cloud.instance.ota.packages.packages.values()))
    good = f"/ota/{package.firmware_id}/1/a.bin"
    url = urls.make(secret, "cn-shanghai", good, (PK, DN), int(cloud.now + 9), 400)
    query = dict(parse_qsl(urlsplit(url).query))
    link = SimpleNamespace(take=lambda *_: None, identify=lambda account: None)
    headers = {"range": "bytes=" + wanted}
    bad = downloads.serve(Request(method, "/" + path, query | changes, headers), link)
    assert bad.status in (403, 404, 405)
    if method == "GET" and not changes:
        found = downloads.serve(Request("GET", good, query, headers), link)
        assert found.status in (200, 206, 416) and (found.body in FILE or found.status == 416)


calls = st.fixed_dictionaries(
    {},
    optional={
        name: json_values | texts | numbers
        for name in (
            *(
                "FirmwareId",
                "JobId",
                "TaskId",
                "SrcVersion",
                "TargetDeviceName",
                "TargetSelection",
                "GrayPercent",
            ),
            *(
                "ScheduleTime",
                "RetryCount",
                "MaximumPerMinute",
                "Tag",
                "PageSize",
                "CurrentPage",
                "MultiFiles",
            ),
            *("FirmwareUrl", "FirmwareName", "DestVersion", "FirmwareSize", "FirmwareSign", "Udi", "Type"),
            *("NeedConfirm", "OverwriteMode", "TaskStatus", "CancelQueuedTask", "SignMethod", "FileSuffix"),
        )
    },
)
ACTIONS = (
    "CreateOTAFirmware",
    "CreateOTAStaticUpgradeJob",
    "CreateOTADynamicUpgradeJob",
    "CreateOTAVerifyJob",
    "QueryOTAJob",
    "ListOTATaskByJob",
    "CancelOTATaskByJob",
    "ConfirmOTATask",
    "GenerateOTAUploadURL",
    "ListOTAFirmware",
)


@settings(many, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(ACTIONS), calls, st.booleans())
def test_any_call_succeeds_or_says_why_in_one_line(cloud, action, values, real):
    if real:
        values |= {"FirmwareId": next(iter(cloud.instance.ota.packages.packages))}
        values |= {"JobId": next(iter(cloud.instance.ota.campaigns.jobs))}
    answer = cloud.call(action, **values)
    assert answer["Success"] or answer["Code"] and answer["ErrorMessage"]
    assert set(NAMES) >= {task.device_name for task in cloud.instance.ota.campaigns.tasks.values()}
