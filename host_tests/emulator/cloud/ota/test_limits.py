"""What the cloud's calls refuse, and the figures of application.md 5.5 to 5.8."""

import pytest

from host_tests.support.cloud.ota import DN, FILE, NAMES, OTHER_PK, PK
from tools.emulator.cloud.ota import console
from tools.emulator.cloud.web import BadRequest, Request

STATIC, DYNAMIC = "CreateOTAStaticUpgradeJob", "CreateOTADynamicUpgradeJob"


@pytest.fixture
def cloud(campaign):
    made = campaign(limits={"ota_file_bytes": 4096, "ota_files": 3, "ota_source_versions": 2, "ota_names": 2})
    made.online(version="1.0.0")
    return made


PACKAGES = [
    ({"DestVersion": ""}, "ParameterError"),
    ({"DestVersion": "a b"}, "ParameterError"),
    ({"DestVersion": "v" * 65}, "ParameterError"),
    ({"DestVersion": 2}, "ParameterError"),
    ({"ModuleName": "a/b"}, "ParameterError"),
    ({"Type": 1}, "ParameterError"),
    ({"Type": 2}, "ParameterError"),
    ({"Type": 1, "SrcVersion": "2.0.0"}, "ParameterError"),
    ({"SignMethod": "SHA1"}, "ParameterError"),
    ({"Udi": "x" * 4097}, "ParameterError"),
    ({"FirmwareSign": "0" * 32}, "iot.ota.FirmwareSign"),
    ({"FirmwareSize": 1}, "iot.ota.FirmwareSize"),
    ({"FirmwareUrl": "https://elsewhere.example.com/x.bin"}, "iot.ota.FileUrl"),
    ({"FirmwareUrl": "https://host/" + "0" * 24 + ".bin"}, "iot.ota.FileUrl"),
    ({"FirmwareUrl": "/../../state.sqlite"}, "iot.ota.FileUrl"),
    ({"ProductKey": "a1Nothing"}, "iot.prod.NotExistedProduct"),
    ({"MultiFiles": [{"Name": "x"}]}, "ParameterError"),
    ({"MultiFiles": "[]x"}, "ParameterError"),
]


@pytest.mark.parametrize("changes, code", PACKAGES)
def test_a_package_that_is_refused(cloud, changes, code):
    values = {"FirmwareName": "one", "DestVersion": "2.0.0", "FirmwareUrl": cloud.upload(), **changes}
    answer = cloud.call("CreateOTAFirmware", **values)
    assert (answer["Success"], answer["Code"]) == (False, code), answer
    assert answer["ErrorMessage"] and "\n" not in answer["ErrorMessage"]
    assert cloud.api("ListOTAFirmware")["List"] == []


def test_files_of_a_package_are_each_there_once(cloud):
    url = cloud.upload()
    for files, code in [
        ([{"Url": url, "Name": "a"}, {"Url": url, "Name": "b"}], "iot.ota.FileUrl"),
        ([{"Url": url, "Name": "a"}, {"Url": cloud.upload(), "Name": "a"}], "iot.ota.FileName"),
        ([{"Url": url, "Name": "../a"}], "iot.ota.FileName"),
        ([{"Url": cloud.upload()} for _ in range(4)], "ParameterError"),
    ]:
        answer = cloud.call("CreateOTAFirmware", FirmwareName="x", DestVersion="2", MultiFiles=files)
        assert answer["Code"] == code, answer
    cloud.package(MultiFiles=[{"Url": url, "Name": "a", "Size": len(FILE)}])


@pytest.mark.parametrize("suffix", ["exe", "", "bin.exe", "../bin"])
def test_an_upload_of_another_suffix(cloud, suffix):
    assert cloud.call("GenerateOTAUploadURL", FileSuffix=suffix)["Code"] == "iot.ota.FileSuffix"
    assert cloud.upload(suffix="tar.gz").endswith(".tar.gz")


def test_a_file_that_is_too_large_or_empty(cloud):
    cloud.upload(b"x" * 4096)
    for data in (b"", b"x" * 4097):
        with pytest.raises(Exception, match="1 to 4096 bytes"):
            cloud.upload(data)


def test_a_disk_that_refuses(cloud):
    (cloud.folder / "ota").write_text("no folder")
    key = cloud.api("GenerateOTAUploadURL")["Key"]
    request = Request("POST", "/", {}, {}, FILE)
    with pytest.raises(BadRequest, match="the file cannot be kept"):
        console.upload(cloud.app, request, key)
    assert cloud.call("CreateOTAFirmware", FirmwareName="x", DestVersion="2", FirmwareUrl=key)["Code"] == (
        "iot.ota.FileUrl"
    )


def test_a_name_is_given_once_and_an_instance_has_so_many_packages(campaign):
    cloud = campaign(limits={"ota_packages": 2})
    cloud.package(FirmwareName="one")
    answer = cloud.call("CreateOTAFirmware", FirmwareName="one", DestVersion="3", FirmwareUrl=cloud.upload())
    assert answer["Code"] == "iot.ota.FirmwareName"
    cloud.package()
    answer = cloud.call("CreateOTAFirmware", FirmwareName="x", DestVersion="3", FirmwareUrl=cloud.upload())
    assert answer["Code"] == "iot.ota.TooManyFirmware"


JOBS = [
    (STATIC, {"FirmwareId": "none"}, "iot.ota.FirmwareNotFound"),
    (STATIC, {"ProductKey": OTHER_PK}, "ParameterError"),
    (STATIC, {"TimeoutInMinutes": 0}, "ParameterError"),
    (STATIC, {"TimeoutInMinutes": 1441}, "ParameterError"),
    (STATIC, {"MaximumPerMinute": 1001}, "ParameterError"),
    (STATIC, {"MaximumPerMinute": -1}, "ParameterError"),
    (STATIC, {"RetryCount": 3, "RetryInterval": 10}, "ParameterError"),
    (STATIC, {"RetryCount": 2, "RetryInterval": 5}, "ParameterError"),
    (STATIC, {"RetryCount": 2}, "ParameterError"),
    (STATIC, {"RetryInterval": 10}, "ParameterError"),
    (STATIC, {"OverwriteMode": 3}, "ParameterError"),
    (STATIC, {"DownloadProtocol": "FTP"}, "ParameterError"),
    (STATIC, {"TargetSelection": "SOME"}, "ParameterError"),
    (STATIC, {"TargetSelection": "SPECIFIC"}, "ParameterError"),
    (STATIC, {"TargetDeviceName": [DN]}, "ParameterError"),
    (STATIC, {"TargetSelection": "SPECIFIC", "TargetDeviceName": list(NAMES[:3])}, "ParameterError"),
    (STATIC, {"TargetSelection": "SPECIFIC", "TargetDeviceName": ["nobody"]}, "iot.device.NotExistedDevice"),
    (STATIC, {"TargetSelection": "SPECIFIC", "TargetDeviceName": [NAMES[1]]}, "iot.ota.NoDevice"),
    (STATIC, {"TargetSelection": "GRAY"}, "ParameterError"),
    (STATIC, {"TargetSelection": "GRAY", "GrayPercent": 0}, "ParameterError"),
    (STATIC, {"TargetSelection": "GRAY", "GrayPercent": "100.1"}, "ParameterError"),
    (STATIC, {"TargetSelection": "GRAY", "GrayPercent": "nan"}, "ParameterError"),
    (STATIC, {"SrcVersion": ["1", "2", "3"]}, "ParameterError"),
    (STATIC, {"SrcVersion": [1]}, "ParameterError"),
    (STATIC, {"SrcVersion": "1.0.0"}, "ParameterError"),
    (STATIC, {"Tag": {"a": 1}}, "ParameterError"),
    (STATIC, {"NeedPush": "no"}, "ParameterError"),
    (DYNAMIC, {}, "ParameterError"),
    (DYNAMIC, {"SrcVersion": ["1.0.0"], "DynamicMode": 3}, "ParameterError"),
    ("QueryOTAJob", {"JobId": "none"}, "iot.ota.JobNotFound"),
    ("ConfirmOTATask", {"TaskId": ["none"]}, "iot.ota.TaskNotFound"),
    ("ConfirmOTATask", {"TaskId": []}, "iot.ota.TaskNotFound"),
    ("QueryOTAFirmware", {"FirmwareId": "none"}, "iot.ota.FirmwareNotFound"),
    ("CancelOTATaskByDevice", {"DeviceName": "nobody"}, "iot.device.NotExistedDevice"),
]


@pytest.mark.parametrize("call, values, code", JOBS)
def test_a_call_that_is_refused(cloud, call, values, code):
    answer = cloud.call(call, **{"FirmwareId": cloud.package(), **values})
    assert (answer["Success"], answer["Code"]) == (False, code), answer
    assert not cloud.instance.ota.campaigns.jobs and cloud.devices[DN].pushes() == []


def test_calls_about_a_batch_that_are_refused(cloud):
    job = cloud.static()
    for call, values in [
        ("CancelOTATaskByJob", {}),
        ("CancelOTATaskByJob", {"CancelQueuedTask": False}),
        ("CancelOTAStrategyByJob", {}),
        ("ListOTATaskByJob", {"TaskStatus": "DONE"}),
        ("ListOTATaskByJob", {"PageSize": 201}),
        ("ListOTATaskByJob", {"CurrentPage": 0}),
    ]:
        assert not cloud.call(call, JobId=job, **values)["Success"], (call, values)


@pytest.mark.parametrize(
    "minutes, taken", [(4.99, False), (5, True), (7 * 1440, True), (7 * 1440 + 1, False)]
)
def test_a_schedule_is_five_minutes_to_seven_days_ahead(cloud, minutes, taken):
    time = int((cloud.now + minutes * 60) * 1000)
    assert cloud.call(STATIC, FirmwareId=cloud.package(), ScheduleTime=time)["Success"] == taken


def test_what_goes_over_mqtt(campaign):
    cloud = campaign(limits={"ota_mqtt_file_bytes": len(FILE)})
    cloud.online(version="1.0.0")
    files = [{"Url": cloud.upload(), "Name": name} for name in "ab"]
    for firmware in (cloud.package(MultiFiles=files), cloud.package(data=FILE + b"x")):
        answer = cloud.call(STATIC, FirmwareId=firmware, DownloadProtocol="MQTT")
        assert answer["Code"] == "iot.ota.Protocol"
    cloud.static(DownloadProtocol="MQTT")
    elsewhere = campaign(switches={"ota_mqtt_regions": ["cn-beijing"]})
    answer = elsewhere.call(STATIC, FirmwareId=elsewhere.package(), DownloadProtocol="MQTT")
    assert answer["Code"] == "iot.ota.Protocol"


@pytest.mark.parametrize("kind, most", [("public", 1), ("enterprise", 2)])
def test_by_a_switch_the_upgrades_of_a_month_are_counted(campaign, kind, most):
    limits = {"ota_month_public": 1, "ota_month_enterprise": 2}
    cloud = campaign(kind=kind, switches={"ota_quota": "refuse"}, limits=limits)
    device = cloud.online(version="1.0.0")
    for number in range(most):
        cloud.static(cloud.package(f"2.{number}"))
        device.inform(f"2.{number}")
    answer = cloud.call(STATIC, FirmwareId=cloud.package("9"))
    assert answer["Code"] == "iot.ota.Quota"
    cloud.later(minutes=31 * 1440)
    cloud.static(cloud.package("9"))


def test_pages_of_a_list(campaign):
    cloud = campaign()
    for name in NAMES:
        cloud.online(name, "1.0.0")
    job = cloud.static()
    cloud.devices[DN].step("5")
    found = [cloud.api("ListOTATaskByJob", JobId=job, PageSize=2, CurrentPage=n) for n in (1, 2, 3, 4)]
    assert [len(one["List"]) for one in found] == [2, 2, 1, 0] and found[0]["Total"] == 5
    (task,) = cloud.api("ListOTATaskByJob", JobId=job, TaskStatus="IN_PROGRESS")["List"]
    assert (task["DeviceName"], task["ProductKey"]) == (DN, PK)
    assert cloud.api("QueryOTAJob", JobId=job)["Tasks"] == {
        "CONFIRM": 0, "QUEUED": 0, "NOTIFIED": 4, "IN_PROGRESS": 1, "SUCCEEDED": 0, "FAILED": 0, "CANCELED": 0,
    }  # fmt: skip
