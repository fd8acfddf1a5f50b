"""Each service of the platform on an emulated board, against the emulated cloud; they share one boot."""

import base64
import json
import random

from host_tests.support.fleet import printed, until
from host_tests.support.things import RAW, ThingFleet

FLEET = ThingFleet
HEAP = "192K"  # all services at once are for no board; what each takes is measured in tools/bench
FILE = random.Random(14).randbytes(9000)
SERVICES = """
import time
import aliot
from aliot.services import broadcast, rrpc, tags
from aliot.services.config import RemoteConfig
from aliot.services.jobs import Jobs
from aliot.services.log import Log
from aliot.services.ntp import Ntp
from aliot.services.raw import Raw
from aliot.services.shadow import Shadow
from aliot.services.upload import Upload
time.sleep = lambda seconds: None  # the waits before a restart
def text(payload):
    report(app="broadcast", text=payload.decode())
def carry_out(job):
    if job.document["do"] == "nothing":
        return job.update("SUCCEEDED", 100)
    job.fetch("/job.bin", 5000)
    with open("/job.bin") as file:
        job.update("SUCCEEDED", 100, {"did": job.document["do"], "file": file.read()})
ntp = Ntp(device)
shadow = Shadow(device, lambda desired: desired)
rrpc.on(device, lambda payload: b"pong " + payload)
rrpc.on(device, lambda payload: {"got": payload.decode()}, "user/get")
broadcast.on(device, text)
broadcast.on(device, text, "news")
raw = Raw(device, lambda payload: payload)
remote = RemoteConfig(device, lambda file: report(app="config", text=file.read().decode()))
served = logs = Log(device)
uploads = Upload(device, lambda name, problem: report(app="uploaded", name=name, code=problem and problem.code))
jobs = Jobs(device, carry_out)
"""


def test_each_service(fleet, cloud):
    configure(cloud, {"every": 60})
    board = fleet.board(SERVICES, RAW, "aliot.run(main)", {"/log.bin": FILE}, HEAP)
    more = [create(fleet, board, "nothing", None) for _ in range(11)]  # than a list has
    queued = create(fleet, board, "what waits for the board")
    board.start(follow=True)
    board.wait_line('"ready"')
    succeeds(board, cloud, queued, "what waits for the board")
    assert [ended(cloud, job)["Status"] for job in more] == ["SUCCEEDED"] * 11
    for service in (configuration, clock, shadow, tags, rrpc, broadcasts, raw, jobs, upload):
        service(fleet, board, cloud)
    assert not [state for state in board.run.states if state["aliot"] == "error"], board.run.lines
    log(fleet, board, cloud)


def configure(cloud, content):
    cloud.admin("POST", f"/products/{RAW}/config", {"content": content})


def configuration(fleet, board, cloud):
    """Asked for after the connect, and pushed."""
    until(board, lambda: printed(board, "config"))
    configure(cloud, {"every": 30})
    fleet.call(board, "PushConfig")
    until(board, lambda: len(printed(board, "config")) == 2)
    applied = [json.loads(one["text"]) for one in printed(board, "config")]
    assert applied == [{"every": 60}, {"every": 30}]
    until(board, lambda: json.loads(fleet.do(board, "remote.open().read().decode()")) == {"every": 30})
    assert fleet.do(board, "remote.get()") is False, "it is the one that is kept"


def clock(fleet, board, cloud):
    now = cloud.advance(100)
    assert abs(fleet.do(board, "ntp.time()") / 1000 - now) < 20
    fleet.do(board, "ntp.set_clock()")
    assert abs(board.clock.now() - cloud.advance(0)) < 20


def shadow(fleet, board, cloud):
    fleet.do(board, 'shadow.report({"color": "red", "level": 1})')
    assert kept(fleet, board) == {"reported": {"color": "red", "level": 1}}
    fleet.call(
        board,
        "UpdateDeviceShadow",
        ShadowMessage={"method": "update", "state": {"desired": {"color": "blue"}}, "version": 0},
    )
    until(board, lambda: kept(fleet, board) == {"reported": {"color": "blue", "level": 1}})
    assert fleet.do(board, "shadow.get()")["reported"] == {"color": "blue", "level": 1}
    fleet.do(board, 'shadow.delete("color")')
    assert kept(fleet, board) == {"reported": {"level": 1}}


def kept(fleet, board):
    state = json.loads(fleet.call(board, "GetDeviceShadow")["ShadowMessage"])["payload"]["state"]
    return {name: values for name, values in state.items() if values}


def tags(fleet, board, cloud):
    fleet.do(board, 'tags.update(device, {"floor": "3", "room": "kitchen"})')
    fleet.do(board, 'tags.delete(device, "floor")')
    assert fleet.call(board, "QueryDeviceProp")["Props"] == {"room": "kitchen"}
    assert fleet.do(board, 'tags.update(device, {"floor": "3/4"})') == "thing.460"


def rrpc(fleet, board, cloud):
    def ask(text, **more):
        question = base64.b64encode(text).decode()
        found = fleet.call(board, "RRpc", RequestBase64Byte=question, Timeout=8000, **more)
        return base64.b64decode(found["PayloadBase64Byte"])

    assert ask(b"ping") == b"pong ping"
    assert json.loads(ask(b"x", Topic=f"/{RAW}/{board.device_name}/user/get")) == {"got": "x"}


def broadcasts(fleet, board, cloud):
    def send(text, **more):
        cloud.call("PubBroadcast", ProductKey=RAW, MessageContent=base64.b64encode(text).decode(), **more)

    send(b"to all")
    send(b"to some", TopicFullName=f"/broadcast/{RAW}/news")
    until(board, lambda: len(printed(board, "broadcast")) == 2)
    assert {one["text"] for one in printed(board, "broadcast")} == {"to all", "to some"}


def raw(fleet, board, cloud):
    """Bytes up, with and without waiting; down, alone and by RRPC."""
    fleet.do(board, r'raw.post(b"\x00\x05\x2a")')
    until(board, lambda: fleet.value(board, "Count") == 42)
    assert fleet.do(board, r'list(raw.request(b"\x00\x06\x2b"))') == [0, 6, 2]
    assert fleet.value(board, "Count") == 43
    for sync in (False, True):
        found = fleet.act(board, "service/Reset", {"params": {}, "wait": 20, "sync": sync})["reply"]
        assert found["code"] == 200


def jobs(fleet, board, cloud):
    """One that is pushed; test_each_service has those that were queued before the board was online."""
    succeeds(board, cloud, create(fleet, board, "it"), "it")


def create(fleet, board, what, file=b"a file"):
    """The JobId of a job, with a file or None."""
    more = {} if file is None else {"JobFile": base64.b64encode(file).decode()}
    return fleet.call(board, "CreateJob", DeviceNames=[board.device_name], JobDocument={"do": what}, **more)[
        "JobId"
    ]


def succeeds(board, cloud, job, what):
    status = until(board, lambda: ended(cloud, job), 60)
    assert status["Status"] == "SUCCEEDED" and status["StatusDetail"] == {"did": what, "file": "a file"}


def ended(cloud, job):
    [task] = cloud.call("ListTask", JobId=job)["Tasks"]
    return task if task["Status"] not in ("QUEUED", "SENT", "IN_PROGRESS") else None


def upload(fleet, board, cloud):
    """The connection is cut in the middle; the file goes on where it stopped."""
    names = {"pk": RAW, "dn": board.device_name}
    stage = {"where": "mqtt_tls", "when": "reply", "topic": "upload/mqtt/send_reply"}
    cloud.arm({**stage, **names, "kind": "close", "after": 4, "processed": True})
    fleet.do(board, 'uploads.start("/log.bin", "log_1.bin")')
    board.wait_for("offline")
    until(board, lambda: printed(board, "uploaded"), 60)
    assert printed(board, "uploaded") == [{"app": "uploaded", "name": "log_1.bin", "code": None}]
    [file] = fleet.call(board, "QueryDeviceFileList")["FileSummary"]
    assert (file["Name"], file["Size"]) == ("log_1.bin", len(FILE))
    assert (cloud.run_dir / "files" / file["FileId"]).read_bytes() == FILE
    assert len(fleet.messages(board, "upload/mqtt/send")) == 9


def log(fleet, board, cloud):
    """Lines while the console wants them; then that of a crash, after the reset."""
    fleet.act(board, "log_mode", {"mode": 1})
    until(board, lambda: fleet.do(board, "logs.on"))
    fleet.do(board, 'logs.report("WARN", "pump", "pressure is low", code="4103")')
    [line] = until(board, lambda: lines(fleet, board))
    assert (line["logLevel"], line["code"], line["logContent"]) == ("WARN", "4103", "pressure is low")
    names = f"/{board.product_key}/{board.device_name}/user/do"
    cloud.admin("POST", "/publish", {"topic": names, "payload": "1 // 0"})
    line = until(board, lambda: [one for one in lines(fleet, board) if one["logLevel"] == "FATAL"], 60)[0]
    assert line["module"] == "crash" and "ZeroDivisionError" in line["logContent"]
    fleet.act(board, "log_mode", {"mode": 0})
    until(board, lambda: fleet.do(board, "logs.on") is False)


def lines(fleet, board):
    return fleet.cloud.admin("GET", f"/devices/{board.product_key}/{board.device_name}/logs")["logs"]
