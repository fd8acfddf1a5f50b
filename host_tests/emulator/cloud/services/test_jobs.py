"""Custom jobs: states, notices, what devices ask and report (application.md 13)."""

import base64
import hashlib
import json

import pytest

from host_tests.support.cloud.client import DN as CDN
from host_tests.support.cloud.client import PK as CPK
from host_tests.support.cloud.client import T, connect_packet
from host_tests.support.cloud.thing import DN, OTHER, PK
from tools.emulator.cloud.codec import Publish
from tools.emulator.cloud.services import jobs

NOTIFY, GET, UPDATE = "thing/job/notify", "thing/job/get", "thing/job/update"
DOCUMENT = {"do": "clean", "args": [1, 2]}


def create(world, timeout=None, content=None, names=(DN,)):
    """(job, taskId of the first device)."""
    devices = [world.instance.registry.find(PK, name) for name in names]
    job = world.instance.services.jobs.create(devices, "a job", DOCUMENT, content, timeout)
    return job, job["devices"][0][2]


def status(world, task_id, name=DN):
    device = world.instance.registry.find(PK, name)
    return world.instance.services.jobs.tasks(device)[task_id]["status"]


def notices(world):
    return [
        json.loads(one.payload)["params"]["task"] for one in world.device.came if one.topic.endswith(NOTIFY)
    ]


def test_a_job_is_noticed_carried_out_and_reported(world, call):
    found = world()
    job, task_id = create(found)
    packet = found.device.came[-1]
    body = json.loads(packet.payload)
    assert (packet.topic, body["method"], body["version"]) == (
        f"/sys/{PK}/{DN}/{NOTIFY}",
        "thing.job.notify",
        "1.0.0",
    )
    task = {"taskId": task_id, "status": "SENT", "jobDocument": DOCUMENT}
    assert body["params"] == {"task": task}
    found.device.publish(NOTIFY + "_reply", json.dumps({"id": body["id"], "code": 200, "data": {}}).encode())
    assert found.instance.journal.select_events(event="push answered")
    assert found.device.ask(GET, {"taskId": "$list"})["data"] == {
        "taskId": "$list",
        "tasks": [{"taskId": task_id, "status": "SENT"}],
    }
    assert found.device.ask(GET, {"taskId": task_id})["data"] == {"taskId": task_id, "task": task}
    for values in (
        {"status": "IN_PROGRESS", "progress": 50, "statusDetails": {"k": "v"}},
        {"status": "SUCCEEDED", "progress": 100},
    ):
        answer = found.device.ask(UPDATE, {"taskId": task_id, **values})
        assert answer["data"] == {"taskId": task_id, "status": values["status"]}
    found = world()
    assert found.device.ask(GET, {"taskId": "$list"})["data"]["tasks"] == []
    (listed,) = call(found, "ListTask", JobId=job["jobId"])["Data"]["Tasks"]
    assert (listed["Status"], listed["Progress"], listed["StatusDetail"]) == ("SUCCEEDED", 100, {"k": "v"})


# states of a task -> the one that a device reports -> whether it is taken
TAKEN = [
    (before, after, before in jobs.OPEN and after in jobs.BY_DEVICE)
    for before in (*jobs.OPEN, jobs.SUCCEEDED, jobs.FAILED, jobs.REJECTED, jobs.CANCELLED, jobs.TIMED_OUT)
    for after in (
        *jobs.BY_DEVICE,
        jobs.QUEUED,
        jobs.SENT,
        jobs.CANCELLED,
        jobs.REMOVED,
        jobs.TIMED_OUT,
        "x",
        None,
    )
]


def test_each_step_from_one_state_to_another(world):
    found = world()
    _, task_id = create(found)
    device = found.instance.registry.find(PK, DN)
    for before, after, taken in TAKEN:
        found.instance.services.jobs.change(device, task_id, status=before)
        code = found.device.ask(UPDATE, {"taskId": task_id, "status": after})["code"]
        assert (code, status(found, task_id)) == ((200, after) if taken else (460, before)), (before, after)


WRONG = [
    (GET, None),
    (GET, []),
    (GET, {}),
    (GET, {"taskId": 5}),
    (GET, {"taskId": ""}),
    (UPDATE, {}),
    (UPDATE, {"taskId": "nobody", "status": "IN_PROGRESS"}),
    (UPDATE, {"taskId": ["x"], "status": "IN_PROGRESS"}),
    (UPDATE, {"status": ["IN_PROGRESS"]}),
    (UPDATE, {"status": "IN_PROGRESS", "progress": 101}),
    (UPDATE, {"status": "IN_PROGRESS", "progress": "50"}),
    (UPDATE, {"status": "IN_PROGRESS", "progress": True}),
    (UPDATE, {"status": "IN_PROGRESS", "statusDetails": "done"}),
    (UPDATE, {"status": "IN_PROGRESS", "statusDetails": {"a": [[[[[1]]]]]}}),
]


@pytest.mark.parametrize(("tail", "params"), WRONG)
def test_what_is_wrong_changes_nothing_and_is_one_event(world, tail, params):
    found = world()
    _, task_id = create(found)
    if tail == UPDATE and params:
        params = {"taskId": task_id, **params}
    assert found.device.ask(tail, params)["code"] == 460
    assert status(found, task_id) == "SENT"
    assert len(found.instance.journal.select_events(event="refused request")) == 1


def test_a_task_that_is_not_there_has_no_task(world):
    assert world().device.ask(GET, {"taskId": "nobody"})["data"] == {"taskId": "nobody"}


def test_an_offline_device_finds_its_task_when_it_asks(world):
    found = world()
    found.instance.sessions.close(found.device.session)
    _, task_id = create(found)
    assert status(found, task_id) == "QUEUED"
    found = world()
    assert found.device.ask(GET, {"taskId": "$list"})["data"]["tasks"] == [
        {"taskId": task_id, "status": "QUEUED"}
    ]
    assert found.device.ask(GET, {"taskId": task_id})["data"]["task"]["status"] == "SENT"


def test_a_task_in_progress_for_too_long_is_timed_out(world):
    found = world()
    _, task_id = create(found, timeout=120)
    found.now += 1000
    assert found.device.ask(UPDATE, {"taskId": task_id, "status": "IN_PROGRESS"})["code"] == 200
    found.now += 119
    assert (
        found.device.ask(UPDATE, {"taskId": task_id, "status": "IN_PROGRESS", "progress": 9})["code"] == 200
    )
    assert status(found, task_id) == "IN_PROGRESS"
    found.now += 1
    assert found.device.ask(UPDATE, {"taskId": task_id, "status": "SUCCEEDED"})["code"] == 460
    assert status(found, task_id) == "TIMED_OUT"


@pytest.mark.parametrize("before", [jobs.QUEUED, jobs.SENT, jobs.IN_PROGRESS, jobs.SUCCEEDED])
@pytest.mark.parametrize("in_progress", [False, True])
@pytest.mark.parametrize("noticed", [False, True])
def test_a_job_is_cancelled(world, call, before, in_progress, noticed):
    found = world(switches={"job_end_notified": noticed})
    job, task_id = create(found)
    found.instance.services.jobs.change(found.instance.registry.find(PK, DN), task_id, status=before)
    answer = call(found, "CancelJob", JobId=job["jobId"], CancelInProgressTask=in_progress)
    ended = before in (jobs.QUEUED, jobs.SENT) or in_progress and before == jobs.IN_PROGRESS
    assert answer["Data"] == {"Cancelled": int(ended)}
    assert status(found, task_id) == ("CANCELLED" if ended else before)
    ends = [one["status"] for one in notices(found)][1:]
    assert ends == (["CANCELLED"] if noticed and ended and before != jobs.QUEUED else [])


def test_a_job_that_is_deleted_leaves_nothing(world, call):
    found = world()
    job, task_id = create(found, content=b"x", names=(DN, OTHER))
    assert call(found, "DeleteJob", JobId=job["jobId"])["Data"] == {"Removed": 2}
    assert notices(found)[-1]["status"] == "REMOVED"
    assert found.device.ask(GET, {"taskId": task_id})["data"] == {"taskId": task_id}
    assert call(found, "ListTask", JobId=job["jobId"])["Code"] == "iot.job.NotExisted"
    assert list(found.instance.services.files.folder.iterdir()) == []


def test_a_list_has_ten_tasks(world):
    found = world()
    ids = [create(found)[1] for _ in range(11)]
    tasks = found.device.ask(GET, {"taskId": "$list"})["data"]["tasks"]
    assert [one["taskId"] for one in tasks] == ids[:10]


CALLS = [
    ("CreateJob", {"DeviceNames": ["nobody"]}, "iot.device.NotExistedDevice"),
    ("CreateJob", {"DeviceNames": [[]]}, "iot.device.NotExistedDevice"),
    ("CreateJob", {"ProductKey": "nothing"}, "iot.product.NotExistProduct"),
    ("CreateJob", {"JobDocument": "{"}, "ParameterError"),
    ("CreateJob", {"JobFile": "é"}, "ParameterError"),
    ("CreateJob", {"JobDocument": json.loads('{"a":' + "[" * 21 + "]" * 21 + "}")}, "ParameterError"),
    ("CreateJob", {"TimeoutConfig": {"inProgressTimeoutInMinutes": 10_081}}, "ParameterError"),
    ("CreateJob", {"TimeoutConfig": {"inProgressTimeoutInMinutes": -1}}, "ParameterError"),
    ("CancelJob", {"JobId": "\ud800"}, "ParameterError"),
    ("CancelJob", {"JobId": "nothing"}, "iot.job.NotExisted"),
    ("DeleteJob", {}, "ParameterError"),
]


@pytest.mark.parametrize(("name", "values", "code"), CALLS)
def test_a_call_that_fails(world, call, name, values, code):
    assert call(world(), name, **values)["Code"] == code


def test_a_job_with_a_file_over_mqtt(device):
    cloud, client = device(connect_packet(mode="3", extra="_ss=1,"))
    cloud.arm("mqtt_tcp", "deliver", "twice", topic=NOTIFY)
    made = cloud.admin(
        "POST",
        "/api/CreateJob",
        {
            "ProductKey": CPK,
            "DeviceNames": [CDN],
            "JobDocument": DOCUMENT,
            "JobFile": base64.b64encode(b"content").decode(),
            "TimeoutConfig": {"inProgressTimeoutInMinutes": 5},
        },
    )["Data"]
    first, second = client.read(), client.read()
    assert first.payload == second.payload
    file = json.loads(first.payload)["params"]["task"]["jobFile"]
    assert set(file) == {"signMethod", "sign", "fileUrl"}
    assert file["sign"] == hashlib.sha256(b"content").hexdigest() and file["fileUrl"].startswith("https://")
    task_id = made["TaskIds"][CDN]
    client.send(
        Publish(
            T + UPDATE, json.dumps({"id": "1", "params": {"taskId": task_id, "status": "REJECTED"}}).encode()
        )
    )
    assert json.loads(client.read().payload)["data"] == {"taskId": task_id, "status": "REJECTED"}
    assert (
        cloud.admin("POST", "/api/ListTask", {"JobId": made["JobId"]})["Data"]["Tasks"][0]["Status"]
        == "REJECTED"
    )
