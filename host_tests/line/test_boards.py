"""The station on emulated boards: real esptool, real flash bytes, MicroPython on them, against the emulated
cloud.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading

import pytest

from host_tests.line.conftest import PRODUCT, secret
from tools.ca import association, authority, keys
from tools.ca.issue import issue
from tools.emulator.chip.thread import PATIENT, Bench
from tools.emulator.cloud.process import Cloud
from tools.firmware import record
from tools.image import burn, littlefs
from tools.image import flash_image as layouts
from tools.image.flash_file import FlashFile
from tools.line.intake import tables
from tools.line.ledger.connection import Patience
from tools.line.ledger.entries import Product, Who
from tools.line.ledger.ledger import Ledger

WHO = Who("hall-2", "lin")
WIFI = {"ALIOT_WIFI_SSID": "line-net", "ALIOT_WIFI_PASSWORD": "line-password"}
FLASH = 4 << 20


@pytest.fixture
def cloud(tmp_path):
    config = {
        "instance": {"kind": "public", "region": "cn-shanghai"},
        "product": [
            {
                "product_key": PRODUCT,
                "product_secret": "h4I4dneEFp7EImTv",
                "auth": "secret",
                "device": [{"device_name": f"dev{n:05d}", "device_secret": secret(n)} for n in range(10)],
            }
        ],
    }
    with Cloud(config, tmp_path / "cloud") as running:
        yield running


class Line:
    """A ledger with ten identities, a job and a folder: what `line burn` needs."""

    def __init__(self, folder, until="boot", roots=(), wifi=False, files=None, seconds=60):
        self.folder = folder
        self.url = f"sqlite:///{folder}/ledger.db"
        with self.ledger(new=True) as ledger:
            ledger.add_product(Product(PRODUCT), WHO)
            ledger.add_identities(
                PRODUCT, [(f"dev{n:05d}", {"device_secret": secret(n)}) for n in range(10)], WHO
            )
        (folder / "files").mkdir()
        for name, text in (files or {"line.json": "{}"}).items():
            (folder / "files" / name).write_text(text)
        (folder / "job.toml").write_text(
            f'name = "lamp"\nproduct_key = "{PRODUCT}"\nboard = "ESP32_GENERIC"\nfiles = "files"\n'
            f'roots = {json.dumps([str(root) for root in roots])}\n[endpoint]\nregion = "cn-shanghai"\n'
            f'[self_test]\nuntil = "{until}"\nseconds = {seconds}\nwifi = {str(wifi).lower()}\n'
        )
        (folder / "station.toml").write_text('name = "hall-2"\n')

    def ledger(self, new=False):
        make = Ledger.create if new else Ledger.open
        return make(self.url, **({"plain": True} if new else {}), patience=Patience(limit=20))

    def start(self, *boards, **how):
        bays = [f"--bay={number}={board.url}" for number, board in enumerate(boards, 1)]
        return subprocess.Popen(
            [
                sys.executable,
                "-m",
                "tools",
                "line",
                "burn",
                str(self.folder / "job.toml"),
                "--ledger",
                self.url,
                "--station-file",
                str(self.folder / "station.toml"),
                "--once",
                "--json",
                *bays,
                *how.get("more", ()),
            ],
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env={**os.environ, **PATIENT, **WIFI, "XDG_STATE_HOME": str(self.folder / "state")},
        )

    def burn(self, *boards, **how):
        """(exit status, events) of one station's run."""
        with self.start(*boards, **how) as process:
            events = [json.loads(line) for line in process.stdout]
        return process.wait(), events


def results(events):
    return {
        event["bay"]: (event["outcome"], event.get("why")) for event in events if event["event"] == "result"
    }


def mac(number):
    return f"24:0a:c4:00:01:{number:02x}"


def bench(folder, number, **how):
    """The n-th emulated board: a partition table in its flash and nothing else; it runs MicroPython all the
    same.
    """
    path = folder / f"flash{number}.bin"
    if not path.exists():
        path.write_bytes(
            layouts.assemble(layouts.layout_of("ESP32_GENERIC"), [], {})[:0x9000].ljust(FLASH, b"\xff")
        )
    return Bench(
        folder / f"flash{number}.bin",
        mac=mac(number),
        size=FLASH,
        software=True,
        boot_blank=True,
        folder=folder / f"board{number}",
        **how,
    )


def burned_name(folder, number):
    """The DeviceName that both media of a board's flash hold, decoded from its flash file."""
    with FlashFile(folder / f"flash{number}.bin") as flash:
        found = burn.look(flash, layouts.layout_of("ESP32_GENERIC"))
    names = {copy.fields[record.DEVICE_NAME].decode() for copy in found.copies if copy.name == layouts.BURNED}
    assert len(names) == 1 and {copy.medium for copy in found.copies} == {"nvs", "littlefs"}
    return names.pop()


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
        said, later = board.chip.transmit, board.chip.later
        board.chip.transmit = lambda data: later(0.5, lambda: said(data))
        tested = wire.self_test(wanted, ("line-net", "line-password"), lambda step, part: None)
        wire.close()
    assert tested.last("connected"), tested


def test_a_file_that_no_tool_wrote_is_saved_before_the_jobs_goes_in_its_place(tmp_path):
    from tools.flash import file_list as files
    from tools.line import job
    from tools.line.station.port_wire import PortWire

    (tmp_path / "flash1.bin").write_bytes(
        layouts.build(with_firmware=False, files={"/main.py": b"mine", "/own.txt": b"x"})
    )
    tree = {"/main.py": b"the job's", "/lamp.mpy": b"M\x06"}
    wanted = job.Job(
        "lamp", PRODUCT, "ESP32_GENERIC", files=str(tmp_path), tree=tree, sources=dict.fromkeys(tree, "FILES")
    )
    with bench(tmp_path, 1) as board:
        wire = PortWire(board.url, wanted, folder=str(tmp_path / "state" / "journal"))
        wire.identify()
        wire.held()
        flashed = wire.flash(wanted, lambda step, part: None)
        wire.close()
    (saved,) = (tmp_path / "state" / "backups").glob("*.files")
    assert flashed["saved"] == str(saved) and (saved / "main.py").read_bytes() == b"mine"
    after = littlefs.read(
        layouts.region((tmp_path / "flash1.bin").read_bytes(), layouts.layout_of("ESP32_GENERIC").vfs)
    )
    assert after == {**tree, "/own.txt": b"x", files.LIST: after[files.LIST]}


def test_a_certificate_goes_from_the_ca_over_the_ledger_to_a_board_that_the_platform_knows(tmp_path):
    """`ca issue`, the association file, `line intake`, `line burn` until connected: mutual TLS, and its own name."""
    passphrase, key = b"a passphrase of this test", "a1X509Prod1"
    ca = authority.create(tmp_path / "ca", "Factory_CA", passphrase, cost=2**10).unlock(passphrase)
    (tmp_path / "issued").mkdir()
    for one in (issue(ca, key, name) for name in ("sensor-1", "sensor-2")):
        (tmp_path / "issued" / f"{one.stem}.cer").write_bytes(one.certificate_pem)
        (tmp_path / "issued" / f"{one.stem}.key").write_bytes(one.key_pem)
    ((path, _),) = association.write(ca, tmp_path / "out")
    config = {
        "instance": {"kind": "public", "region": "cn-shanghai"},
        "product": [
            {
                "product_key": key,
                "product_secret": "h4I4dneEFp7EImTv",
                "auth": "x509",
                "device": [{"device_name": "sensor-1"}, {"device_name": "sensor-2"}],
            }
        ],
    }
    with Cloud(config, tmp_path / "cloud") as cloud:
        proof = ca.verification(cloud.admin("GET", "/registration_code")["code"])
        cloud.admin(
            "POST",
            "/cas",
            {
                "name": "Factory_CA",
                "certificate": (tmp_path / "ca" / "ca.cer").read_text(),
                "certificate_file": "ca.cer",
                "verification_file": "verify.cer",
                "verification": keys.pem("CERTIFICATE", proof).decode(),
            },
        )
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


def test_an_application_that_stops_is_red_with_its_exception_and_place(tmp_path):
    line = Line(
        tmp_path,
        files={"main.py": "import json\nprint('hello')\njson.load(open('/config.json'))\n"},
        seconds=10,
    )
    with bench(tmp_path, 1) as board:
        status, events = line.burn(board)
    outcome, why = results(events)["1"]
    assert (status, outcome) == (1, "failed")
    assert (
        why.startswith("its application has ended: OSError: [Errno 2] ENOENT (")
        and '"/main.py", line 3' in why
    )


def test_eight_boards_at_once_with_every_fault_end_right(tmp_path):
    """Power cuts, a pulled cable, a wrong chip, a chip that is closed, a ledger that goes away: each in one
    bay.
    """
    line = Line(tmp_path)
    with contextlib.ExitStack() as stack:
        boards = [
            stack.enter_context(bench(tmp_path, number, **how))
            for number, how in [
                (1, {}),
                (2, {}),
                (3, {"cut_at": 25}),
                (4, {}),
                (5, {"chip": "esp32s3"}),
                (6, {"faults": {"bad-md5": 1}}),
                (7, {}),
                (8, {}),
            ]
        ]
        process = line.start(*boards)
        events, pulled = [], False
        for text in process.stdout:
            event = json.loads(text)
            events.append(event)
            if event["event"] == "flash" and event["bay"] == "4" and not pulled:
                pulled = True
                boards[3].call(boards[3].server.drop)
            if event["event"] == "pulled" and event["bay"] == "3":
                boards[2].call(boards[2].chip.power_on)
            if event["event"] == "reserved" and len([e for e in events if e["event"] == "reserved"]) == 3:
                os.rename(tmp_path / "ledger.db", tmp_path / "away.db")
                threading.Timer(0.5, os.rename, (tmp_path / "away.db", tmp_path / "ledger.db")).start()
        status = process.wait()
        found = results(events)
        assert status == 1 and found.pop("5")[1].startswith("this is an esp32s3")
        again = [bay for bay, (outcome, _) in found.items() if outcome != "done"]
        if again:  # a bad MD5 is red: the board comes back
            assert again == ["6"] and "reads back otherwise" in found["6"][1]
            assert line.burn(boards[5])[0] == 0
    good = [1, 2, 3, 4, 6, 7, 8]
    names = [burned_name(tmp_path, number) for number in good]
    assert len(set(names)) == 7
    with line.ledger() as ledger:
        assert ledger.counts()[PRODUCT] | {"free": 3, "done": 7} == ledger.counts()[PRODUCT]
        assert [ledger.find(mac=mac(number)).device_name for number in good] == names
        assert any(event["action"] == "reject" for event in ledger.history(mac=mac(5)))
    assert {event["event"] for event in events} >= {"pulled", "flash", "burn", "written", "verified"}


@pytest.mark.parametrize("at", [3, 14, 22])
def test_a_station_killed_in_mid_burn_is_followed_by_one_that_finishes(tmp_path, at):
    """SIGKILL after the n-th event; the board is left wherever esptool was."""
    line = Line(tmp_path)
    with bench(tmp_path, 1) as board:
        process = line.start(board)
        for number, _ in enumerate(process.stdout, 1):
            if number == at:
                break
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()
        status, events = line.burn(board)
        assert status == 0, events[-3:]
    assert burned_name(tmp_path, 1) == "dev00000"
    with line.ledger() as ledger:
        assert ledger.counts()[PRODUCT] | {"free": 9, "done": 1} == ledger.counts()[PRODUCT]


def test_a_board_whose_flash_was_erased_gets_its_identity_back_and_its_issued_secret(tmp_path):
    line = Line(tmp_path)
    with bench(tmp_path, 1) as board:
        assert line.burn(board)[0] == 0
        with line.ledger() as ledger:
            ledger.keep_issued(ledger.find(mac=mac(1)), {record.DEVICE_SECRET: b"issued-secret-0123"}, WHO)
        board.call(board.nor.erase, 0, FLASH)
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "tools",
                "line",
                "restore",
                str(tmp_path / "job.toml"),
                "--ledger",
                line.url,
                "--mac",
                mac(1),
                "--port",
                board.url,
                "--station-file",
                str(tmp_path / "station.toml"),
            ],
            capture_output=True,
            text=True,
            env={**os.environ, "XDG_STATE_HOME": str(tmp_path / "state")},
        )
    assert done.stdout.startswith(f"dev00000 is back on {mac(1)}, generation "), done.stderr
    assert done.stdout.endswith("with its issued secret\n")
    with FlashFile(tmp_path / "flash1.bin") as flash:
        copies = burn.look(flash, layouts.layout_of("ESP32_GENERIC")).copies
    assert {copy.name: copy.fields.get(record.DEVICE_SECRET) for copy in copies if copy.medium == "nvs"} == {
        "burned": secret(0).encode(),
        "issued": b"issued-secret-0123",
    }


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


def test_a_chip_with_its_own_usb_is_found_again_by_its_place_when_it_comes_back_under_another_name(tmp_path):
    from tools.image import identity
    from tools.line import job, job_contents
    from tools.line.station.port_wire import PortWire

    wanted = job_contents.with_tree(
        job.Job(
            "lamp",
            PRODUCT,
            "ESP32_GENERIC_C3",
            files=str(tmp_path),
            endpoint={"region": "cn-shanghai"},
            seconds=60,
        )
    )
    path = tmp_path / "flash.bin"
    layout = layouts.layout_of("ESP32_GENERIC_C3")
    path.write_bytes(layouts.assemble(layout, [], {})[:0x9000].ljust(FLASH, b"\xff"))
    with Bench(
        path, chip="esp32c3", mac=mac(1), style="usb", renumber=True, software=True, boot_blank=True
    ) as board:
        first = board.url
        wire = PortWire(first, wanted, locate=lambda: board.url, folder=str(tmp_path / "state"))
        wire.identify()
        wire.held()
        wire.flash(wanted, lambda step, part: None)
        wire.burn(
            identity.parse({"product_key": PRODUCT, "device_name": "dev1", "device_secret": secret(1)}),
            None,
            False,
            lambda step, part: None,
        )
        tested = wire.self_test(wanted, None, lambda step, part: None)
        wire.close()
        assert board.url != first and wire.device == board.url
    assert tested.last("boot")["device_name"] == "dev1"
