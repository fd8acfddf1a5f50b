"""Nobody gets into the console but who has its address: other users, other web pages and rebound names are refused."""

import contextlib
import errno
import http.client
import json
import re
import socket
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Error

from host_tests.support.browser import opened
from host_tests.support.cloud.client import DN, PK, settings
from host_tests.support.cloud.console import Visitor
from host_tests.support.paths import ROOT
from tools.emulator.cloud.admin_routes import ROUTES
from tools.emulator.cloud.console.console import taken
from tools.emulator.cloud.process import Cloud

ADMIN_OPEN = False
SWITCH = f"/products/{PK}/dynamic_registration"
TARGETS = ("/", "/products", f"/products/{PK}", "/events?page=/", "/static/console.css", "/nowhere")


@pytest.fixture
def stranger(cloud):
    """A program of another user: it knows the port and nothing else."""
    return Visitor(cloud)


def registration(cloud):
    return cloud.instance.registry.products[PK].dynamic_registration


def state(cloud):
    """All that the cloud keeps."""

    async def dump():
        return list(cloud.server.store.db.iterdump())

    return cloud.call(dump())


# ---- without the address


@pytest.mark.parametrize("path", TARGETS)
def test_without_a_session_no_path_is_shown(stranger, path):
    answer = stranger.get(path)
    assert answer.status == 403
    assert "opens with the address" in answer.text
    assert PK not in answer.text


@pytest.mark.parametrize("cookie", ["x" * 43, "", "é"])
def test_a_cookie_of_nobody_opens_nothing(stranger, cookie):
    stranger.cookies[f"console_{stranger.port}"] = cookie
    answer = stranger.request("GET", "/", headers={"Cookie": f"console_{stranger.port}={cookie}".encode()})
    assert answer.status == 403


@pytest.mark.parametrize("token", ["", "x", "x" * 43, "%C3%A9", "%ED%A0%80", "%00", "[]"])
def test_a_guessed_token_opens_nothing(stranger, token):
    assert stranger.request("GET", f"/?token={token}").status == 403
    assert not stranger.cookies


def test_an_address_opens_the_console_once(cloud, stranger):
    address = stranger.address()
    stranger.enter(address)
    again = Visitor(cloud)
    answer = again.get(address.split(str(again.port), 1)[1])
    assert answer.status == 403
    assert "was used before" in answer.text
    assert not again.cookies


def test_a_newer_address_makes_the_older_void(cloud, stranger):
    first = stranger.address()
    stranger.address()
    assert stranger.get(first.split(str(stranger.port), 1)[1]).status == 403


def test_the_cookie_is_for_this_port_and_for_no_script(stranger):
    answer = stranger.get(stranger.address().split(str(stranger.port), 1)[1])
    assert answer.status == 303
    name, *flags = answer.headers["set-cookie"].split("; ")
    assert name.startswith(f"console_{stranger.port}=")
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(flags)
    assert answer.headers["location"] == "/"


def test_no_secret_of_the_access_is_in_the_log(cloud, stranger):
    address = stranger.address()
    stranger.enter(address)
    stranger.get("/", token=address.split("=")[1])
    log = json.dumps(cloud.instance.journal.select_events())
    for secret in (
        address.split("=")[1],
        *stranger.cookies.values(),
        stranger.csrf,
        cloud.server.admin.token,
    ):
        assert secret not in log


# ---- another web page in the same browser


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1", "localhost", "127.0.0.1:1", "evil.example:{port}", "[::1]:{port}", ""],
)
def test_a_name_that_was_rebound_is_refused(visitor, host):
    answer = visitor.request("GET", "/", headers={"Host": host.format(port=visitor.port)})
    assert answer.status == 421


@pytest.mark.parametrize("host", ["localhost:{port}", "127.0.0.1:{port}"])
def test_a_loopback_name_with_the_port_is_taken(visitor, host):
    assert visitor.request("GET", "/", headers={"Host": host.format(port=visitor.port)}).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "http://localhost"},
        {"Origin": None},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"},
    ],
    ids=str,
)
def test_another_page_changes_nothing_though_the_browser_sends_the_cookie(cloud, visitor, headers):
    body = f"csrf={visitor.csrf}&enabled=0".encode()
    sent = {"Content-Type": "application/x-www-form-urlencoded", "Origin": visitor.origin, **headers}
    sent = {name: value for name, value in sent.items() if value is not None}
    assert visitor.request("POST", SWITCH, body, sent).status == 403
    assert registration(cloud)


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
@pytest.mark.parametrize(
    ("mode", "kind"),
    [
        ("cors", "empty"),
        ("no-cors", "script"),
        ("no-cors", "image"),
        ("navigate", "iframe"),
        ("navigate", "embed"),
    ],
)
def test_another_page_reads_and_frames_nothing(visitor, site, mode, kind):
    headers = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": mode, "Sec-Fetch-Dest": kind}
    for path in TARGETS:
        assert visitor.request("GET", path, headers=headers).status == 403, path


def test_a_foreign_origin_reads_nothing_either(visitor):
    answer = visitor.request("GET", "/products", headers={"Origin": "https://evil.example"})
    assert answer.status == 403
    assert not [name for name in answer.headers if name.startswith("access-control-")]


def test_a_link_from_elsewhere_opens_a_page(visitor):
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    assert visitor.request("GET", "/products", headers=headers).status == 200


@pytest.mark.parametrize("csrf", ["", "x" * 32, "é"])
def test_a_form_without_the_token_of_its_session_changes_nothing(cloud, visitor, csrf):
    answer = visitor.send(SWITCH, csrf=csrf, enabled="0")
    assert answer.status == 403
    assert "out of date" in answer.text
    assert registration(cloud)


def test_the_form_of_another_session_changes_nothing(cloud, visitor):
    other = Visitor(cloud).enter()
    assert visitor.csrf != other.csrf
    assert visitor.send(SWITCH, csrf=other.csrf, enabled="0").status == 403
    assert registration(cloud)


def test_no_get_changes_anything(cloud, visitor):
    """What takes a form takes no GET, and the state of the cloud is the same after all that can be read."""
    pages = cloud.server.console.pages
    names = {"pk": PK, "dn": DN}
    posts = [one.path for page in pages for one in page.routes if one.method == "POST"]
    gets = {one.path for page in pages for one in page.routes if one.method == "GET"}
    for path in posts:
        if path not in gets:
            filled = re.sub(r"\{(\w+)\}", lambda found: names.get(found[1], "x"), path)
            assert visitor.get(filled, enabled="0", csrf=visitor.csrf).status in (404, 405), path
    before = state(cloud)
    for path in gets:
        visitor.get(re.sub(r"\{(\w+)\}", lambda found: names.get(found[1], "x"), path))
    assert state(cloud) == before


@pytest.mark.parametrize("path", TARGETS[:3] + TARGETS[4:])
def test_each_answer_forbids_what_a_page_does_not_need(visitor, path):
    headers = visitor.get(path).headers
    policy = dict(one.strip().split(" ", 1) for one in headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'self'" and policy["frame-ancestors"] == "'none'"
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-frame-options"] == "DENY"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cache-control"] == "no-store"
    assert "access-control-allow-origin" not in headers


def test_no_other_port_of_the_machine_gets_the_cookie(cloud, chromium):
    """A page of another user, on a port of this machine: a browser that is in the console sends it no cookie."""
    cookies = []

    class Page(BaseHTTPRequestHandler):
        def do_GET(self):
            cookies.append(self.headers.get("Cookie"))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_):
            pass

    async def address():
        return cloud.server.console.address()

    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as other, opened(chromium) as page:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        page.goto(cloud.call(address()))
        page.get_by_role("heading", name="Overview").wait_for()
        for host in ("127.0.0.1", "localhost", "console.localhost"):
            with contextlib.suppress(Error):  # 204: the browser stays where it is
                page.goto(f"http://{host}:{other.server_port}/")
        other.shutdown()
    assert len(cookies) >= 3 and not any(cookies)


def test_nobody_else_listens_where_a_browser_looks_for_the_address_first(cloud):
    """A browser tries ::1 before 127.0.0.1: another user's server there would be given the token."""
    with socket.socket(socket.AF_INET6) as other, pytest.raises(OSError) as problem:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("::1", cloud.ports["console"]))
        other.listen()
    assert problem.value.errno == errno.EADDRINUSE


def test_a_port_that_somebody_has_at_one_loopback_address_is_not_taken():
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as other:
        with pytest.raises(OSError, match="in use"):
            taken(other.getsockname()[1])


def test_a_machine_without_ipv6_has_its_console_too(monkeypatch):
    made = socket.create_server

    def create_server(address, **more):
        if more:
            raise OSError(errno.EADDRNOTAVAIL, "Cannot assign requested address")
        return made(address)

    monkeypatch.setattr(socket, "create_server", create_server)
    [one] = taken(0)
    one.close()


# ---- what a request may try


@pytest.mark.parametrize(
    "path",
    [
        "/static/../console.py",
        "/static/..%2fconsole.py",
        "/static/%2e%2e/console.py",
        "/static//etc/passwd",
        "/static/%2fetc%2fpasswd",
        "/static/..\\console.py",
        "/static/console.css%00.js",
        "/static/",
    ],
)
def test_no_path_leads_out_of_the_static_files(visitor, path):
    answer = visitor.get(path)
    assert answer.status == 404
    assert "import" not in answer.text and "root:" not in answer.text


@pytest.mark.parametrize(
    "to",
    [
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "evil.example",
        "/\t/evil.example",
        "javascript:alert(1)",
        "/\r\nSet-Cookie: x=y",
    ],
)
def test_no_form_leads_to_another_host(visitor, to):
    answer = visitor.send("/preferences/theme", value="dark", to=to)
    assert (answer.status, answer.headers["location"]) == (303, "/")


def test_a_body_without_an_end_is_refused(visitor):
    head = {"Origin": visitor.origin, "Content-Length": str(1 << 40)}
    assert visitor.request("POST", "/products", b"x", head).status == 413


# ---- the admin port


def test_the_admin_port_asks_for_the_token_of_ready_json(cloud):
    ready = cloud.run_dir / "ready.json"
    assert ready.stat().st_mode & 0o777 == 0o600
    token = json.loads(ready.read_text())["admin_token"]
    for method, pattern, _, _ in ROUTES:
        for headers in ({}, {"Authorization": "Bearer "}, {"Authorization": f"Bearer {token}x"}):
            answer = cloud.admin(method, re.sub(r"\{\w+\}", "x", pattern), status=401, headers=headers)
            assert "ready.json" in answer["error"]
    assert cloud.admin("GET", "/products", headers={"Authorization": f"Bearer {token}"})


@pytest.mark.parametrize(
    ("headers", "status"),
    [({}, 401), ({"Origin": "https://evil.example"}, 403), ({"Host": "evil.example:1"}, 403)],
    ids=str,
)
def test_the_admin_port_takes_in_no_large_body_of_a_stranger(cloud, headers, status):
    """It answers before the body has come: a thousand of them would fill the memory."""
    connection = http.client.HTTPConnection("127.0.0.1", cloud.ports["admin"], timeout=20)
    connection.putrequest("POST", "/products", skip_host="Host" in headers)
    for name, value in {**headers, "Content-Length": str(16 << 20)}.items():
        connection.putheader(name, value)
    connection.endheaders(b"x")
    assert connection.getresponse().status == status
    connection.close()


def test_the_admin_port_gives_an_address_to_whoever_has_its_token(cloud, stranger):
    headers = {"Authorization": f"Bearer {cloud.server.admin.token}"}
    stranger.enter(cloud.admin("POST", "/console/address", headers=headers)["address"])
    assert stranger.get("/products").status == 200


def test_the_process_prints_the_address_and_has_no_secret_in_its_command(tmp_path):
    with Cloud(settings(), tmp_path / "run", console=True) as cloud:
        command = Path(f"/proc/{cloud.process.pid}/cmdline").read_bytes().decode()
        token = cloud.console_address.split("=")[1]
        assert token not in command and cloud.headers["Authorization"].split()[1] not in command
        visitor = Visitor(cloud).enter(cloud.console_address)
        assert visitor.get("/products").status == 200
        ports = cloud.ports
        cloud.restart()
        assert cloud.ports == ports
        assert visitor.get("/products").status == 403, "sessions end with the process"
        assert cloud.admin("GET", "/products")
    assert token not in (tmp_path / "run" / "cloud.log").read_text()


def test_a_cloud_without_a_console_loads_nothing_of_it(tmp_path):
    script = "import sys, tools.emulator.cloud.command; print([m for m in sys.modules if m in %r])"
    known = ("starlette", "uvicorn", "jinja2", "tools.emulator.cloud.console")
    found = subprocess.run(
        [sys.executable, "-c", script % (known,)], capture_output=True, text=True, cwd=ROOT
    )
    assert found.stdout.strip() == "[]", found.stderr
