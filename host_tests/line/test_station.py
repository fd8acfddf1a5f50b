"""The station as it runs: a process for each bay, killed at any event, stopped, restarted, with the ledger
away."""

import json
import os
import signal
import subprocess
import sys

import pytest

from host_tests.line.conftest import PRODUCT, WHO, board, stock
from host_tests.support import filed_board
from tools.line.ledger.connection import Patience
from tools.line.ledger.entries import Product
from tools.line.ledger.ledger import Ledger
from tools.line.ledger.seal import Key

KEY = Key(bytes(range(32)))
SCALE = float(os.environ.get("ALIOT_CAMPAIGN", "1"))


@pytest.fixture
def ledger(ledger_url):
    with Ledger.create(ledger_url, key=KEY, patience=Patience(limit=20)) as made:
        made.add_product(Product(PRODUCT), WHO)
        yield made


class Run:
    """One station process; `events()` yields what it says."""

    def __init__(self, folder, ledger_url, boards, **how):
        self.path = folder / f"run-{os.urandom(3).hex()}.json"
        self.path.write_text(
            json.dumps(
                {
                    "url": ledger_url,
                    "key": bytes(range(32)).hex(),
                    "product": PRODUCT,
                    "bays": {str(n + 1): path for n, path in enumerate(boards)},
                    **how,
                }
            )
        )
        self.process = subprocess.Popen(
            [sys.executable, "-m", "host_tests.support.run_station", str(self.path)],
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def events(self):
        for line in self.process.stdout:
            yield json.loads(line)

    def finish(self):
        events = list(self.events())
        return self.process.wait(timeout=60), events

    def kill(self):
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.process.stdout.close()


def boards(folder, count, **how):
    return [filed_board.create(folder / f"board{n}.json", board(n), **how) for n in range(count)]


def test_eight_bays_burn_eight_boards_at_once(ledger, ledger_url, tmp_path):
    stock(ledger, 10)
    paths = boards(tmp_path, 8)
    status, events = Run(tmp_path, ledger_url, paths, journal=str(tmp_path / "journal")).finish()
    assert status == 0
    assert events[-1] | {"boards_an_hour": 0} == {
        "event": "end",
        "passed": 8,
        "already": 0,
        "failed": 0,
        "boards_an_hour": 0,
    }
    names = [filed_board.burns(path) for path in paths]
    assert sorted(name for burned in names for name in burned) == [f"dev0000{n}" for n in range(8)]
    assert ledger.counts()[PRODUCT]["done"] == 8
    journal = [json.loads(line) for line in (tmp_path / "journal").read_text().splitlines()]
    assert {(line["mac"], line["device_name"]) for line in journal} == {
        (board(n), names[n][0]) for n in range(8)
    }


def test_what_a_library_prints_in_a_bay_is_not_among_the_stations_lines(ledger, ledger_url, tmp_path):
    stock(ledger, 1)
    status, events = Run(tmp_path, ledger_url, boards(tmp_path, 1), wire="TalkativeWire").finish()
    assert status == 0
    assert events[-1]["passed"] == 1


def test_a_station_killed_at_any_event_is_followed_by_one_that_finishes(ledger, ledger_url, tmp_path):
    """SIGKILL to the station and its bays after the n-th event it tells, for every n that a board's visit
    has.
    """
    count = max(3, int((10 if ledger_url.startswith("sqlite") else 4) * min(SCALE, 1.6)))
    stock(ledger, count)
    for at in range(1, count + 1):
        path = filed_board.create(tmp_path / f"board{at}.json", board(at))
        run = Run(tmp_path, ledger_url, [path])
        for number, _ in enumerate(run.events(), 1):
            if number == at:
                break
        run.kill()
        status, events = Run(tmp_path, ledger_url, [path]).finish()
        assert status == 0, (at, events)
        assert ledger.find(mac=board(at)).state == "done"
        assert len(filed_board.burns(path)) == 1, (at, filed_board.burns(path))
    assert ledger.counts()[PRODUCT] | {"done": 0} == dict.fromkeys(ledger.counts()[PRODUCT], 0)
    names = [filed_board.burns(tmp_path / f"board{at}.json")[0] for at in range(1, count + 1)]
    assert len(set(names)) == count


def test_a_pulled_board_is_waited_for_and_finished(ledger, ledger_url, tmp_path):
    stock(ledger, 1)
    path = filed_board.create(tmp_path / "board.json", board(1), pull_at=[2, 4])
    status, events = Run(tmp_path, ledger_url, [path]).finish()
    assert [e["event"] for e in events].count("pulled") == 2 and status == 0
    assert filed_board.burns(path) == ["dev00000"]


def test_wrong_chips_and_dead_boards_are_red_and_the_others_green(ledger, ledger_url, tmp_path):
    stock(ledger, 3)
    paths = [
        filed_board.create(tmp_path / "a.json", board(1)),
        filed_board.create(tmp_path / "b.json", board(2), chip="esp32s3"),
        filed_board.create(tmp_path / "c.json", board(3), starts=False),
    ]
    status, events = Run(tmp_path, ledger_url, paths).finish()
    results = {e["bay"]: (e["outcome"], e.get("why", "")) for e in events if e["event"] == "result"}
    assert status == 1 and results["1"] == ("done", "")
    assert results["2"][0] == "failed" and "this is an esp32s3" in results["2"][1]
    assert results["3"][0] == "failed" and "no state line" in results["3"][1]
    assert (
        ledger.counts()[PRODUCT]["done"],
        ledger.counts()[PRODUCT]["failed"],
        ledger.counts()[PRODUCT]["free"],
    ) == (1, 1, 1)


def test_ctrl_c_finishes_boards_in_work_and_takes_no_new_one(ledger, ledger_url, tmp_path):
    stock(ledger, 5)
    run = Run(tmp_path, ledger_url, boards(tmp_path, 2), once=False)
    events = []
    for event in run.events():
        events.append(event)
        if [e["event"] for e in events].count("waiting") + [e["event"] for e in events].count("result") == 4:
            os.killpg(run.process.pid, signal.SIGINT)
            break
    events += list(run.events())
    assert run.process.wait(timeout=30) == 130
    assert events[-1]["event"] == "end" and events[-1]["passed"] == 2
    rows = ledger.counts()[PRODUCT]
    assert (rows["done"], rows["free"], rows["reserved"]) == (2, 3, 0)


def test_a_new_board_in_a_bay_is_burned_when_the_old_one_is_taken_out(ledger, ledger_url, tmp_path):
    stock(ledger, 5)
    path = tmp_path / "bay.json"
    filed_board.create(path, board(1))
    run = Run(tmp_path, ledger_url, [str(path)], once=False)
    results = []
    for event in run.events():
        if event["event"] == "result":
            results.append(event["device_name"])
            os.remove(path)
            if len(results) == 3:
                os.killpg(run.process.pid, signal.SIGINT)
        if event["event"] == "waiting" and results and len(results) < 3:
            filed_board.create(path, board(len(results) + 1))
    assert results == ["dev00000", "dev00001", "dev00002"] and run.process.wait(timeout=30) == 130


def test_a_ledger_that_goes_away_in_the_middle_is_waited_for(ledger, ledger_url, tmp_path, request):
    stock(ledger, 4)
    paths = boards(tmp_path, 4, hold=str(tmp_path / "go on"))
    run = Run(tmp_path, ledger_url, paths)
    seen = []
    try:
        for event in run.events():
            seen.append(event["event"])
            if event["event"] == "reserved" and seen.count("reserved") == 4:
                take_away(ledger_url, tmp_path, request)
                (tmp_path / "go on").touch()
            if event["event"] == "ledger" and seen.count("ledger") == 1:
                bring_back(ledger_url, tmp_path, request)
    finally:
        bring_back(ledger_url, tmp_path, request)
    assert "ledger" in seen and run.process.wait(timeout=60) == 0
    assert ledger.counts()[PRODUCT]["done"] == 4
    assert all(len(filed_board.burns(path)) == 1 for path in paths)


def take_away(ledger_url, folder, request):
    if ledger_url.startswith("sqlite"):
        os.rename(folder / "ledger.db", folder / "elsewhere.db")
    else:
        request.getfixturevalue("postgres").cut()


def bring_back(ledger_url, folder, request):
    if not ledger_url.startswith("sqlite"):
        server = request.getfixturevalue("postgres")
        if server.process.poll() is not None:
            server.start()
    elif (folder / "elsewhere.db").exists():
        os.rename(folder / "elsewhere.db", folder / "ledger.db")


def test_a_bay_whose_process_dies_is_started_again(ledger, ledger_url, tmp_path):
    stock(ledger, 2)
    path = filed_board.create(tmp_path / "board.json", board(1), hold=str(tmp_path / "go"))
    run = Run(tmp_path, ledger_url, [path])
    killed = False
    events = []
    for event in run.events():
        events.append(event["event"])
        if event["event"] == "reserved" and not killed:
            killed = True
            for pid in _children_of(run.process.pid):
                os.kill(pid, signal.SIGKILL)
            (tmp_path / "go").touch()
    assert "died" in events and run.process.wait(timeout=30) == 0
    assert filed_board.burns(path) == ["dev00000"]


def _children_of(pid):
    """Workers: processes that the station's fork server started (they carry its command line)."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat") as file:
                    parent = int(file.read().rpartition(")")[2].split()[1])
            except (OSError, IndexError):
                continue
            found.append((int(entry), parent))
    servers = [child for child, parent in found if parent == pid]
    return [child for child, parent in found if parent in servers]


def test_a_full_disk_under_the_ledger_loses_nothing(postgres, tmp_path):
    """The server's own error for a full disk, raised by a trigger; when there is room again, the boards go
    on.
    """
    from host_tests.line.test_backup import NO_ROOM

    url = postgres.fresh()
    with Ledger.create(url, key=KEY, patience=Patience(limit=20)) as ledger:
        ledger.add_product(Product(PRODUCT), WHO)
        stock(ledger, 8)
        ledger.connection.write(lambda c: c.exec_driver_sql(NO_ROOM))
        paths = boards(tmp_path, 8)
        status, events = Run(tmp_path, url, paths).finish()
        assert status == 1 and any("its disk is full" in event.get("why", "") for event in events)
        ledger.connection.write(lambda c: c.exec_driver_sql("DROP TRIGGER no_room ON events"))
        status, events = Run(tmp_path, url, paths).finish()
        assert status == 0, events
        assert ledger.counts()[PRODUCT]["done"] == 8
        assert sorted(name for path in paths for name in filed_board.burns(path)) == [
            f"dev{n:05d}" for n in range(8)
        ]


def test_the_journal_has_the_reason_of_every_red_board(tmp_path):
    url = f"sqlite:///{tmp_path}/ledger.db"
    with Ledger.create(url, key=KEY) as ledger:
        ledger.add_product(Product(PRODUCT), WHO)
        stock(ledger, 1)
    paths = [
        filed_board.create(tmp_path / "a.json", board(1), chip="esp32s3"),
        filed_board.create(tmp_path / "b.json", board(2), starts=False),
    ]
    Run(tmp_path, url, paths, journal=str(tmp_path / "journal")).finish()
    journal = [json.loads(line) for line in (tmp_path / "journal").read_text().splitlines()]
    whys = {line["mac"]: line["why"] for line in journal if line["outcome"] == "failed"}
    assert whys[board(1)] == "this is an esp32s3, the job is for an esp32"
    assert whys[board(2)].startswith("no state line within 60 s")
    from tools.line.verbs import upkeep

    assert upkeep._journals([str(tmp_path / "journal")]) == {board(2): (PRODUCT, "dev00000")}
