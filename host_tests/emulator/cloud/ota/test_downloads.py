"""The download server: signed URLs, ranges, refusals in XML (application.md 5.5), without a socket."""

import base64
import re
from types import SimpleNamespace
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import pytest

from host_tests.support.cloud.ota import DN, FILE, PK
from tools.emulator.cloud.web import Request

SIZE = len(FILE)


def ask(cloud, url, method="GET", **headers):
    """(status, headers, body) of a request for `url`."""
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    link = SimpleNamespace(take=lambda *_: None, identify=lambda account: None)
    response = cloud.instance.ota.downloads.serve(Request(method, parts.path, query, headers), link)
    head, _, body = response.encode().partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    return int(status.split()[1]), dict(line.split(": ", 1) for line in lines), body


def code(body):
    return re.search("<Code>(.*)</Code>", body.decode())[1]


@pytest.fixture
def offered(campaign):
    """(cloud, the URL of a push)"""
    cloud = campaign()
    device = cloud.online(version="1.0.0")
    cloud.static()
    return cloud, device.pushes()[0]["data"]["url"]


RANGES = {
    None: (200, None, 0, SIZE),
    "bytes=0-": (206, f"bytes 0-{SIZE - 1}/{SIZE}", 0, SIZE),
    "bytes=5-": (206, f"bytes 5-{SIZE - 1}/{SIZE}", 5, SIZE),
    "bytes=5-9": (206, f"bytes 5-9/{SIZE}", 5, 10),
    "bytes=9-9": (206, f"bytes 9-9/{SIZE}", 9, 10),
    f"bytes={SIZE - 1}-": (206, f"bytes {SIZE - 1}-{SIZE - 1}/{SIZE}", SIZE - 1, SIZE),
    "bytes=5-99999": (206, f"bytes 5-{SIZE - 1}/{SIZE}", 5, SIZE),
    "bytes=9-5": (200, None, 0, SIZE),
    "bytes=-5": (200, None, 0, SIZE),
    "bytes=1-2,4-5": (200, None, 0, SIZE),
    "lines=1-2": (200, None, 0, SIZE),
}


@pytest.mark.parametrize("wanted", RANGES)
def test_a_range_of_a_file(offered, wanted):
    cloud, url = offered
    expected, content_range, first, end = RANGES[wanted]
    status, headers, body = ask(cloud, url, **({"range": wanted} if wanted else {}))
    assert (status, headers.get("Content-Range"), body) == (expected, content_range, FILE[first:end])
    assert headers["Content-Length"] == str(end - first) and "Transfer-Encoding" not in headers


@pytest.mark.parametrize("wanted", [f"bytes={SIZE}-", f"bytes={SIZE + 7}-{SIZE + 9}"])
def test_a_range_beyond_the_end(offered, wanted):
    cloud, url = offered
    status, headers, body = ask(cloud, url, range=wanted)
    assert (status, code(body), headers["Content-Range"]) == (416, "InvalidRange", f"bytes */{SIZE}")


def altered(url):
    """Each way to spoil a URL, by name."""
    parts = urlsplit(url)
    fields = dict(parse_qsl(parts.query))
    first, _, filler = fields["security-token"].partition(".")
    other = base64.urlsafe_b64encode(b'["a","b"]').decode() + "." + filler

    def written(path=parts.path, **changes):
        left = {name: value for name, value in (fields | changes).items() if value is not None}
        return f"https://{parts.netloc}{path}?{urlencode(left, quote_via=quote, safe='')}"

    yield from (
        written(Expires=str(int(fields["Expires"]) + 1)),
        written(Expires="1e9"),
        written(Expires="٣"),
        written(Signature=fields["Signature"][:-4] + "AAA="),
        written(**{"security-token": other}),
        written(OSSAccessKeyId="x"),
        written(more="1"),
        written(path=parts.path.replace("/1/", "/2/")),
        written(path="/ota/../../state.sqlite"),
        *(written(**{name: None}) for name in fields),
        f"https://{parts.netloc}{parts.path}",
        url[:-1],
        url[: url.index("Signature=") + 20],
    )
    assert written() == url


def test_a_url_that_is_altered_or_cut(offered):
    cloud, url = offered
    for spoiled in altered(url):
        status, headers, body = ask(cloud, spoiled)
        assert (status, code(body)) == (403, "SignatureDoesNotMatch"), spoiled
        assert headers["Content-Type"] == "application/xml"
    assert ask(cloud, url)[0] == 200


def test_a_url_expires_and_an_asked_one_is_fresh(offered):
    cloud, url = offered
    cloud.later(24 * 3600)
    assert ask(cloud, url)[0] == 200
    cloud.later(1)
    status, _, body = ask(cloud, url)
    assert (status, code(body)) == (403, "AccessDenied")
    assert ask(cloud, cloud.devices[DN].get()["url"])[2] == FILE


def test_only_the_method_that_was_signed(offered):
    cloud, url = offered
    assert ask(cloud, url, "HEAD")[0] == 403
    status, _, body = ask(cloud, url, "PUT")
    assert (status, code(body)) == (405, "MethodNotAllowed")


def test_urls_outlive_the_process_and_their_files_the_package_only(offered):
    cloud, url = offered
    cloud.restart()
    assert ask(cloud, url)[2] == FILE
    (job,) = cloud.instance.ota.campaigns.jobs.values()
    assert cloud.call("DeleteOTAFirmware", FirmwareId=job.firmware_id)["Code"] == "iot.ota.JobStatus"
    cloud.online(version="2.0.0")
    cloud.api("DeleteOTAFirmware", FirmwareId=job.firmware_id)
    status, _, body = ask(cloud, url)
    assert (status, code(body)) == (404, "NoSuchKey")
    assert not list((cloud.folder / "ota").iterdir())


def test_the_log_has_the_download_and_no_signature(offered):
    cloud, url = offered
    ask(cloud, url, range="bytes=5-9")
    (event,) = cloud.instance.journal.select_events(event="download")
    assert (event["pk"], event["dn"], event["code"], event["bytes"]) == (PK, DN, 206, 5)
    assert "Signature" not in str(cloud.instance.journal.events)


@pytest.mark.parametrize("length", [300, 900, 2000])
def test_a_url_has_about_the_length_that_is_set(campaign, length):
    cloud = campaign(limits={"ota_url_characters": length})
    device = cloud.online(version="1.0.0")
    cloud.static()
    url = device.pushes()[0]["data"]["url"]
    assert abs(len(url) - length) < 60 or length == 300 and len(url) < 400
    assert ask(cloud, url)[2] == FILE


def test_a_file_that_was_removed_by_hand(campaign):
    cloud = campaign()
    device = cloud.online(version="1.0.0")
    cloud.static()
    (file,) = (cloud.folder / "ota").iterdir()
    file.unlink()
    status, _, body = ask(cloud, device.pushes()[0]["data"]["url"])
    assert (status, code(body)) == (404, "NoSuchKey")
