"""The station on emulated boards: real esptool, real flash bytes, MicroPython on them, against the emulated
cloud."""

import json
import os
import subprocess
import sys

from host_tests.line.conftest import PRODUCT, secret
from host_tests.line.emulated_line import WHO, WIFI, Line, bench, burned_name, results
from host_tests.support.packages import UPDATE
from host_tests.support.x509 import register_ca
from tools.ca import association, authority
from tools.ca.issue import issue
from tools.firmware import record
from tools.image import burn, littlefs, updates
from tools.image import flash_image as layouts
from tools.image.flash_file import FlashFile
from tools.line.intake import tables

X509_PRODUCT = "a1X509Prod1"
CLOUD = {
    "instance": {"kind": "public", "region": "cn-shanghai"},
    "product": [
        {
            "product_key": PRODUCT,
            "product_secret": "h4I4dneEFp7EImTv",
            "auth": "secret",
            "device": [{"device_name": f"dev{n:05d}", "device_secret": secret(n)} for n in range(10)],
        },
        {
            "product_key": X509_PRODUCT,
            "product_secret": "h4I4dneEFp7EImTv",
            "auth": "x509",
            "device": [{"device_name": "sensor-1"}, {"device_name": "sensor-2"}],
        },
    ],
}


def test_a_blank_board_is_brought_online_on_the_line_s_wifi_and_keeps_nothing_of_it(tmp_path, cloud):
    line = Line(tmp_path, "connected", [cloud.ca_der], wifi=True)
    with bench(tmp_path, 1, cloud=cloud.run_dir) as board:
        status, events = line.burn(board, more=["--labels", str(tmp_path / "labels")])
    assert (status, results(events)) == (0, {"1": ("done", None)}), json.dumps(events[-5:])
    assert cloud.admin("GET", f"/devices/{PRODUCT}/dev00000")["status"] != "inactive"
    flash = (tmp_path / "flash1.bin").read_bytes()
    for text in WIFI.values():
        assert text.encode() not in flash
    assert burned_name(tmp_path, 1) == "dev00000"
    assert os.listdir(tmp_path / "labels") == [f"{PRODUCT}-dev00000.svg"]
    assert secret(0) not in json.dumps(events)


def test_a_console_that_is_late_with_every_answer_is_waited_for(tmp_path, cloud):
    from tools.image import identity
    from tools.line import job
    from tools.line.station.port_wire import PortWire

    fields = {
        "product_key": PRODUCT,
        "device_name": "dev00001",
        "device_secret": secret(1),
        "region": "cn-shanghai",
    }
    (tmp_path / "flash1.bin").write_bytes(
        layouts.build(board="ESP32_GENERIC", identity=identity.parse(fields), roots=[cloud.ca_der])
    )
    wanted = job.Job("lamp", PRODUCT, "ESP32_GENERIC", until="connected", wifi=True, seconds=60)
    with bench(tmp_path, 1, cloud=cloud.run_dir) as board:
        wire = PortWire(board.url, wanted, folder=str(tmp_path / "state"))
        wire.identify()
        transmit, later = board.chip.transmit, board.chip.later
        board.chip.transmit = lambda data: later(0.5, lambda: transmit(data))
        tested = wire.self_test(wanted, ("line-net", "line-password"), lambda step, part: None)
        wire.close()
    assert tested.last("connected"), tested


def test_a_file_that_no_tool_wrote_is_saved_before_the_jobs_goes_in_its_place(tmp_path):
    from tools.flash import file_list as files
    from tools.line import job
    from tools.line.station.port_wire import PortWire

    (tmp_path / "flash1.bin").write_bytes(
        layouts.build(with_firmware=False, files={"/main.py": b"mine", "/own.txt": b"x", **UPDATE})
    )
    tree = {"/main.py": b"the job's", "/lamp.mpy": b"M\x06"}
    wanted = job.Job(
        "lamp", PRODUCT, "ESP32_GENERIC", files=str(tmp_path), tree=tree, sources=dict.fromkeys(tree, "FILES")
    )
    with bench(tmp_path, 1) as board:
        wire = PortWire(board.url, wanted, folder=str(tmp_path / "state" / "journal"))
        wire.identify()
        assert wire.held().update == "release 1.3.0, number 8, on trial, in /ota/b"
        flashed = wire.flash(wanted, lambda step, part: None)
        wire.close()
    (saved,) = (tmp_path / "state" / "backups").glob("*.files")
    assert flashed["saved"] == str(saved) and (saved / "main.py").read_bytes() == b"mine"
    after = littlefs.read(
        layouts.region((tmp_path / "flash1.bin").read_bytes(), layouts.layout_of("ESP32_GENERIC").vfs)
    )
    stays = {path: data for path, data in UPDATE.items() if path not in updates.RECORDS}
    assert after == {**tree, **stays, "/own.txt": b"x", files.LIST: after[files.LIST]}


def test_a_certificate_goes_from_the_ca_over_the_ledger_to_a_board_that_the_platform_knows(tmp_path, cloud):
    """`ca issue`, the association file, `line intake`, `line burn` until connected: mutual TLS, and its own name."""
    passphrase, key = b"a passphrase of this test", X509_PRODUCT
    ca = authority.create(tmp_path / "ca", "Factory_CA", passphrase, cost=2**10).unlock(passphrase)
    (tmp_path / "issued").mkdir()
    for one in (issue(ca, key, name) for name in ("sensor-1", "sensor-2")):
        (tmp_path / "issued" / f"{one.stem}.cer").write_bytes(one.certificate_pem)
        (tmp_path / "issued" / f"{one.stem}.key").write_bytes(one.key_pem)
    ((path, _),) = association.write(ca, tmp_path / "out")
    register_ca(cloud, ca, tmp_path / "ca" / "ca.cer")
    cloud.admin("POST", "/cas/Factory_CA/association", {"file": path.name, "csv": path.read_text()})
    line = Line(tmp_path, "connected", [cloud.ca_der], wifi=True)
    job = tmp_path / "job.toml"
    job.write_text(job.read_text().replace(PRODUCT, key))
    with line.ledger() as ledger:
        tables.take(ledger, tables.read_folder(tmp_path / "issued"), WHO)
    with bench(tmp_path, 1, cloud=cloud.run_dir) as board:
        status, events = line.burn(board)
        assert (status, results(events)) == (0, {"1": ("done", None)}), json.dumps(events[-5:])
        assert cloud.admin("GET", f"/devices/{key}/sensor-1")["status"] != "inactive"
        assert cloud.admin("GET", f"/devices/{key}/sensor-2")["status"] == "inactive"
        again = results(line.burn(board)[1])
    assert again == {"1": ("already", None)}
    with FlashFile(tmp_path / "flash1.bin") as flash:
        copies = burn.look(flash, layouts.layout_of("ESP32_GENERIC")).copies
    issued = {copy.fields[record.DEVICE_NAME] for copy in copies if copy.name == layouts.ISSUED}
    assert issued == {b"sensor-1"}
    assert "PRIVATE" not in json.dumps(events)


def test_the_line_s_root_on_a_job_that_does_not_name_it_is_refused(tmp_path):
    line = Line(tmp_path)
    (tmp_path / "files" / "roots").mkdir()
    (tmp_path / "files" / "roots" / "lab.der").write_bytes(b"root")
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "tools",
            "line",
            "burn",
            str(tmp_path / "job.toml"),
            "--ledger",
            line.url,
            "--once",
            "--bay=1=/dev/null",
        ],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1 and "roots/lab.der in the job's files is an extra root" in done.stderr


def test_a_secret_in_the_job_s_files_is_refused(tmp_path):
    line = Line(tmp_path, files={"settings.py": f"DEVICE_SECRET = '{'x7' * 16}'\n"})
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "tools",
            "line",
            "burn",
            str(tmp_path / "job.toml"),
            "--ledger",
            line.url,
            "--once",
            "--bay=1=/dev/null",
        ],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1 and "looks as if it held a device or product secret" in done.stderr
