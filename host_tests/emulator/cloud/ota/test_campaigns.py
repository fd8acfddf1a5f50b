"""Batches from the call to the end of their tasks: pushes, rates, shares, retries, timeouts (application.md 5.8)."""

import pytest

from host_tests.support.cloud.ota import DN, NAMES
from tools.emulator.cloud.ota import campaigns

SECOND, THIRD = NAMES[1:3]


def every(campaign, version="1.0.0"):
    return [campaign.online(name, version) for name in NAMES]


def test_an_upgrade_from_the_push_to_the_new_version(campaign):
    cloud = campaign()
    device = cloud.online(version="1.0.0")
    job = cloud.static(TimeoutInMinutes=60)
    assert (cloud.job_status(job), cloud.status(job)) == ("IN_PROGRESS", "NOTIFIED")
    (push,) = device.pushes()
    assert (push["code"], push["data"]["version"], push["message"]) == ("1000", "2.0.0", "success")
    device.step("0")
    assert cloud.status(job) == "IN_PROGRESS"
    device.step("100")
    assert cloud.status(job) == "IN_PROGRESS", "only the version ends it"
    device.inform("2.0.0")
    assert (cloud.status(job), cloud.job_status(job)) == ("SUCCEEDED", "COMPLETED")
    (report,) = cloud.messages("ota/upgrade")
    assert (report["status"], report["srcVersion"], report["destVersion"]) == ("SUCCEEDED", "1.0.0", "2.0.0")
    versions = [one["moduleVersion"] for one in cloud.messages("ota/version/post")]
    assert versions == ["1.0.0", "2.0.0"]
    device.inform("2.0.0")
    assert len(cloud.messages("ota/version/post")) == 2, "only a change is a message"
    assert device.get() == {} and len(device.pushes()) == 1


def statuses_of_jobs(cloud, job):
    found = cloud.instance.server_messages.after(0)
    return [
        one["body"]["status"]
        for one in found
        if one["body"].get("jobId") == job and "packageId" in one["body"]
    ]


def test_the_business_server_gets_the_states_of_a_batch(campaign):
    cloud = campaign()
    device = cloud.online(version="1.0.0")
    job = cloud.static()
    device.step("-1")
    assert statuses_of_jobs(cloud, job) == ["PLANNED", "IN_PROGRESS", "COMPLETED"]
    assert cloud.messages("ota/upgrade")[0]["status"] == "FAILED"


def test_a_batch_takes_the_devices_whose_version_it_upgrades(campaign):
    cloud = campaign()
    for name, version in zip(NAMES, ("1.0.0", "1.1.0", "2.0.0", "0.9.0")):
        cloud.online(name, version)
    cloud.online(NAMES[4])
    assert set(cloud.tasks(cloud.static(SrcVersion=["1.0.0", "0.9.0", "2.0.0"]))) == {DN, NAMES[3]}
    assert set(cloud.tasks(cloud.static())) == {DN, SECOND, NAMES[3]}, "neither the target nor an unknown one"
    answer = cloud.call(
        "CreateOTAStaticUpgradeJob", FirmwareId=cloud.package(), SrcVersion=["7"], TargetSelection="ALL"
    )
    assert answer["Code"] == "iot.ota.NoDevice"


def test_by_a_switch_a_batch_takes_devices_that_never_reported(campaign):
    cloud = campaign(switches={"ota_unknown_version": "taken"})
    device = cloud.online()
    job = cloud.static()
    assert set(cloud.tasks(job)) == set(NAMES) and len(device.pushes()) == 1
    device.inform("1.0.0")
    device.step("1")
    assert cloud.tasks(job)[DN]["SrcVersion"] == "1.0.0" and cloud.status(job) == "IN_PROGRESS"


def test_a_differential_package_is_for_its_source_only(campaign):
    cloud = campaign()
    device = cloud.online(version="1.0.0")
    cloud.online(SECOND, "1.1.0")
    job = cloud.static(cloud.package(Type=1, SrcVersion="1.0.0"))
    assert set(cloud.tasks(job)) == {DN} and device.pushes()[0]["data"]["isDiff"] == 1


@pytest.mark.parametrize("percent, count", [(1, 1), ("33.33", 1), (40, 2), (79.9, 3), (100, 5)])
def test_a_grey_batch_has_its_share_and_one_device_at_least(campaign, percent, count):
    cloud = campaign()
    every(cloud)
    job = cloud.static(TargetSelection="GRAY", GrayPercent=percent)
    assert len(cloud.tasks(job)) == count


def test_a_directed_batch_has_the_devices_that_it_names(campaign):
    cloud = campaign()
    every(cloud)
    job = cloud.static(TargetSelection="SPECIFIC", TargetDeviceName=[THIRD, DN])
    assert set(cloud.tasks(job)) == {DN, THIRD}


def test_a_scheduled_batch_waits_for_its_time(campaign):
    cloud = campaign()
    device = cloud.online(version="1.0.0")
    job = cloud.static(ScheduleTime=int((cloud.now + 600) * 1000))
    cloud.later(minutes=9.9)
    assert (cloud.job_status(job), cloud.status(job), device.pushes()) == ("PLANNED", "QUEUED", [])
    assert device.get() == {}
    cloud.later(minutes=0.1)
    assert (cloud.job_status(job), cloud.status(job), len(device.pushes())) == ("IN_PROGRESS", "NOTIFIED", 1)


def test_a_batch_pushes_to_so_many_devices_a_minute(campaign):
    cloud = campaign()
    devices = every(cloud)
    cloud.static(MaximumPerMinute=2)
    pushed = lambda: sum(len(device.pushes()) for device in devices)
    assert pushed() == 2
    cloud.later(59)
    assert pushed() == 2
    cloud.later(1)
    assert pushed() == 4
    cloud.restart()
    for name in NAMES:
        cloud.online(name)
    assert sum(len(one.pushes()) for one in cloud.devices.values()) == 4, "the minute outlives the process"
    cloud.later(60)
    assert sum(len(one.pushes()) for one in cloud.devices.values()) == 5


def test_an_offline_device_gets_the_push_once_it_connects_and_again_until_it_answers(campaign):
    cloud = campaign()
    cloud.online(version="1.0.0")
    cloud.offline()
    job = cloud.static()
    assert cloud.status(job) == "QUEUED"
    assert len(cloud.online().pushes()) == 1 and cloud.status(job) == "NOTIFIED"
    cloud.offline()
    device = cloud.online(version="1.0.0")
    assert len(device.pushes()) == 1
    device.step("10")
    cloud.offline()
    assert cloud.online().pushes() == [], "one that upgrades is not pushed again"
    cloud.offline()
    cloud.online(version="2.0.0")
    assert cloud.status(job) == "SUCCEEDED"


def test_by_a_switch_a_device_that_upgrades_is_pushed_again_at_its_connect(campaign):
    cloud = campaign(switches={"ota_push_again": "upgrading"})
    cloud.online(version="1.0.0")
    job = cloud.static()
    cloud.devices[DN].step("10")
    cloud.offline()
    assert len(cloud.online().pushes()) == 1 and cloud.status(job) == "IN_PROGRESS"


def test_a_device_that_is_there_already_needs_no_push(campaign):
    cloud = campaign()
    cloud.online(version="1.0.0")
    cloud.offline()
    job = cloud.static(ScheduleTime=int((cloud.now + 600) * 1000))
    cloud.online(version="2.0.0")
    cloud.later(minutes=10)
    assert cloud.status(job) == "SUCCEEDED" and cloud.devices[DN].pushes() == []


def test_a_device_without_the_subscription_gets_the_push_when_it_reports(campaign):
    cloud = campaign()
    cloud.online(version="1.0.0")
    cloud.offline()
    job = cloud.static()
    device = cloud.online(system=False)
    assert (device.pushes(), cloud.status(job)) == ([], "QUEUED")
    cloud.instance.sessions.subscribe(device.session, f"/ota/device/upgrade/{device.key[0]}/{DN}")
    device.inform("1.0.0")
    assert (len(device.pushes()), cloud.status(job)) == (1, "NOTIFIED")
    device.inform("1.0.0")
    assert len(device.pushes()) == 1


def test_retries_come_after_their_interval_and_end(campaign):
    cloud = campaign()
    device = cloud.online(version="1.0.0")
    job = cloud.static(RetryInterval=10, RetryCount=1)
    device.step("-2", "no network")
    cloud.later(minutes=9.9)
    assert (cloud.status(job), len(device.pushes())) == ("IN_PROGRESS", 1)
    assert cloud.tasks(job)[DN]["TaskDesc"] == "no network"
    cloud.later(minutes=0.1)
    assert (cloud.status(job), len(device.pushes())) == ("IN_PROGRESS", 2)
    device.step("-3")
    assert cloud.status(job) == "FAILED" and cloud.job_status(job) == "COMPLETED"
    assert cloud.tasks(job)[DN]["TaskDesc"] == "verification failed"


def test_a_retry_for_an_offline_device_waits_for_its_connect(campaign):
    cloud = campaign()
    cloud.online(version="1.0.0")
    job = cloud.static(RetryInterval=0, RetryCount=5)
    cloud.offline()
    cloud.online(version="0.5.0")
    cloud.offline()
    cloud.later(60)
    assert cloud.status(job) == "NOTIFIED"
    assert len(cloud.online().pushes()) == 1 and cloud.tasks(job)[DN]["Retries"] == 1


def test_the_timeout_runs_from_the_first_progress(campaign):
    cloud = campaign()
    device = cloud.online(version="1.0.0")
    job = cloud.static(TimeoutInMinutes=5, RetryInterval=0, RetryCount=5)
    cloud.later(minutes=60)
    assert cloud.status(job) == "NOTIFIED"
    device.step("1")
    cloud.later(minutes=4.99)
    device.step("100")
    assert cloud.status(job) == "IN_PROGRESS"
    cloud.later(minutes=0.01)
    assert (cloud.status(job), cloud.tasks(job)[DN]["TaskDesc"]) == ("FAILED", "timeout")
    assert len(device.pushes()) == 1, "nothing is retried after a timeout"


@pytest.mark.parametrize(
    "step, mode, statuses",
    [
        (None, 1, ("NOTIFIED", "FAILED")),
        (None, 2, ("FAILED", "NOTIFIED")),
        ("1", 1, ("IN_PROGRESS", "FAILED")),
        ("1", 2, ("IN_PROGRESS", "FAILED")),
    ],
)
def test_a_second_batch_for_a_device_with_a_task(campaign, step, mode, statuses):
    cloud = campaign()
    device = cloud.online(version="1.0.0")
    first = cloud.static()
    if step:
        device.step(step)
    second = cloud.static(cloud.package("3.0.0"), OverwriteMode=mode)
    assert (cloud.status(first), cloud.status(second)) == statuses
    assert [cloud.job_status(job) == "COMPLETED" for job in (first, second)] == [
        status == "FAILED" for status in statuses
    ]


def test_a_task_that_is_canceled_ends_and_what_the_device_says_later_has_no_effect(campaign):
    cloud = campaign()
    device = cloud.online(version="1.0.0")
    cloud.online(SECOND, "1.0.0").step("5")
    job = cloud.static(RetryInterval=0, RetryCount=5)
    device.step("5")
    cloud.api("CancelOTATaskByJob", JobId=job, CancelNotifiedTask=True)
    assert (cloud.status(job), cloud.status(job, SECOND)) == ("IN_PROGRESS", "CANCELED")
    cloud.api("CancelOTATaskByDevice", DeviceName=DN)
    assert (cloud.status(job), cloud.job_status(job)) == ("CANCELED", "CANCELED")
    device.step("50")
    device.inform("2.0.0")
    assert cloud.status(job) == "CANCELED" and cloud.messages("ota/upgrade") == []


def test_queued_tasks_before_and_after_the_start_are_canceled_by_names_of_their_own(campaign):
    cloud = campaign()
    cloud.online(version="1.0.0")
    cloud.offline()
    for scheduled in (True, False):
        more = {"ScheduleTime": int((cloud.now + 600) * 1000)} if scheduled else {}
        job = cloud.static(**more)
        names = ("CancelQueuedTask", "CancelScheduledTask")
        cloud.api(
            "CancelOTATaskByJob",
            JobId=job,
            **{names[not scheduled]: False, names[0 if scheduled else 1]: True},
        )
        assert cloud.status(job) == "QUEUED"
        cloud.api("CancelOTATaskByJob", JobId=job, **{names[1 if scheduled else 0]: True})
        assert cloud.status(job) == "CANCELED"


def test_a_confirmed_upgrade_waits_for_confirm_ota_task(campaign):
    cloud = campaign()
    device = cloud.online(version="1.0.0")
    job = cloud.static(NeedConfirm=True)
    task = cloud.tasks(job)[DN]
    assert (task["TaskStatus"], device.pushes(), device.get()) == ("CONFIRM", [], {})
    cloud.api("ConfirmOTATask", TaskId=[task["TaskId"]])
    assert (cloud.status(job), len(device.pushes())) == ("NOTIFIED", 1)


def test_a_batch_without_a_push_waits_until_the_device_asks(campaign):
    cloud = campaign()
    device = cloud.online(version="1.0.0")
    job = cloud.static(NeedPush=False)
    assert (cloud.status(job), device.pushes()) == ("QUEUED", [])
    assert device.get("MCU") == {}
    assert device.get()["version"] == "2.0.0" and cloud.status(job) == "NOTIFIED"
    assert device.get()["version"] == "2.0.0", "as often as it asks"


@pytest.mark.parametrize("mode, first", [(1, "NOTIFIED"), (2, None)])
def test_a_dynamic_batch_takes_devices_that_come_later(campaign, mode, first):
    cloud = campaign()
    cloud.online(version="1.0.0")
    job = cloud.dynamic(DynamicMode=mode)
    assert cloud.tasks(job).get(DN, {}).get("TaskStatus") == first
    later = cloud.online(SECOND, "1.0.0")
    assert len(later.pushes()) == 1 and cloud.status(job, SECOND) == "NOTIFIED"
    cloud.online(THIRD, "0.1.0")
    assert THIRD not in cloud.tasks(job)
    cloud.devices[THIRD].inform("1.0.0")
    assert cloud.status(job, THIRD) == "NOTIFIED"
    later.inform("2.0.0")
    assert cloud.job_status(job) == "IN_PROGRESS", "it goes on"
    cloud.api("CancelOTAStrategyByJob", JobId=job)
    cloud.online(NAMES[3], "1.0.0")
    assert NAMES[3] not in cloud.tasks(job) and cloud.job_status(job) == "CANCELED"


@pytest.mark.parametrize("switch, count", [("once", 1), ("again", 2)])
def test_a_device_that_rolled_back_and_the_dynamic_batch(campaign, switch, count):
    cloud = campaign(switches={"ota_dynamic_again": switch})
    device = cloud.online(version="1.0.0")
    cloud.dynamic()
    device.step("-4")
    device.inform("1.0.0")
    assert len(device.pushes()) == count


def test_a_package_has_one_dynamic_batch_at_a_time(campaign):
    cloud = campaign()
    firmware = cloud.package()
    job = cloud.dynamic(firmware)
    values = {"FirmwareId": firmware, "SrcVersion": ["1.0.0"]}
    assert cloud.call("CreateOTADynamicUpgradeJob", **values)["Code"] == "iot.ota.DynamicJob"
    cloud.api("CancelOTAStrategyByJob", JobId=job)
    cloud.dynamic(firmware)


@pytest.mark.parametrize("switch, after_one", [("one", 1), ("all", 2)])
def test_a_verification_batch_comes_first(campaign, switch, after_one):
    cloud = campaign(switches={"ota_verified": switch})
    devices = [cloud.online(name, "1.0.0") for name in NAMES[:2]]
    firmware = cloud.package(NeedToVerify=True)
    status = lambda: cloud.api("QueryOTAFirmware", FirmwareId=firmware)["Status"]
    assert cloud.call("CreateOTAStaticUpgradeJob", FirmwareId=firmware)["Code"] == "iot.ota.NotVerified"
    verify = lambda: cloud.api("CreateOTAVerifyJob", FirmwareId=firmware, TargetDeviceName=list(NAMES[:2]))
    verify()
    assert status() == 2
    assert cloud.call("CreateOTAVerifyJob", FirmwareId=firmware)["Code"] == "iot.ota.Verified"
    devices[0].inform("2.0.0")
    assert status() == after_one
    devices[1].step("-1")
    assert status() == (1 if switch == "one" else 3)
    if switch == "all":
        verify()
        devices[1].inform("2.0.0")
        assert status() == 1
    cloud.online(THIRD, "1.0.0")
    assert THIRD in cloud.tasks(cloud.static(firmware))


def test_a_module_has_versions_packages_and_tasks_of_its_own(campaign):
    cloud = campaign()
    device = cloud.online(version="1.0.0").inform("5", "MCU")
    job = cloud.static(cloud.package("6", ModuleName="MCU"))
    (push,) = device.pushes()
    assert push["data"]["module"] == "MCU"
    device.inform("2.0.0")
    assert cloud.status(job) == "NOTIFIED", "the version of another module"
    device.step("5", module="default")
    assert cloud.status(job) == "NOTIFIED"
    device.step("5", module="MCU")
    assert cloud.status(job) == "IN_PROGRESS"
    assert device.get() == {} and device.get("MCU")["module"] == "MCU"
    device.inform("6", "MCU")
    assert cloud.status(job) == "SUCCEEDED"
    found = cloud.api("ListOTAModuleVersionsByDevice", DeviceName=DN)["List"]
    assert {one["ModuleName"]: one["FirmwareVersion"] for one in found} == {"default": "2.0.0", "MCU": "6"}


def test_a_deleted_device_takes_its_task_along(campaign):
    cloud = campaign()
    cloud.online(version="1.0.0")
    cloud.online(SECOND, "1.0.0")
    job = cloud.static()
    cloud.instance.delete(cloud.instance.registry.find(cloud.devices[DN].key[0], DN))
    assert set(cloud.tasks(job)) == {SECOND}
    cloud.devices[SECOND].inform("2.0.0")
    assert cloud.job_status(job) == "COMPLETED"
    cloud.restart()
    assert set(cloud.tasks(job)) == {SECOND}


def test_a_large_batch_pushes_in_portions(campaign, monkeypatch):
    monkeypatch.setattr(campaigns, "BURST", 2)
    cloud = campaign()
    devices = every(cloud)
    cloud.static()
    for count in (2, 4, 5, 5):
        assert sum(len(device.pushes()) for device in devices) == count
        cloud.later()
