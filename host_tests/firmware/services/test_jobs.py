"""Jobs: pushed, listed after a connect, carried out, failed, with a file."""

import os

import aliot.thing.requests
from aliot.errors import LinkError
from aliot.services.jobs import Jobs
from device_peer import DevicePeer, raised
from https_files import Files, http, sign

HEAP = "512K"
OPEN = ("QUEUED", "SENT", "IN_PROGRESS")
NOTIFY, GET, UPDATE = "thing/job/notify", "thing/job/get", "thing/job/update"
DATA = b"x" * 1500
TABLES = {
    "test_a_notice_that_names_no_job_is_answered_460": [
        ("no params", {"id": "1"}),
        ("a list", {"id": "1", "params": []}),
        ("no task", {"id": "1", "params": {}}),
        ("a task of text", {"id": "1", "params": {"task": "x"}}),
        ("no id", {"id": "1", "params": {"task": {"status": "SENT"}}}),
        ("an empty id", {"id": "1", "params": {"task": {"taskId": ""}}}),
        ("an id of numbers", {"id": "1", "params": {"task": {"taskId": 5}}}),
    ],
    "test_lists_that_are_none": [
        ("nothing", None),
        ("empty", {}),
        ("text", {"tasks": "x"}),
        ("tasks of text", {"tasks": ["x", None, 5]}),
        ("without ids", {"tasks": [{"status": "SENT"}]}),
        (
            "ended",
            {"tasks": [{"taskId": "a", "status": "SUCCEEDED"}, {"taskId": "b", "status": "CANCELLED"}]},
        ),
    ],
    "test_more_jobs_than_a_list_has": [
        ("ten of a list", 10, [10, 10, 5, 0]),
        ("three of a list", 3, [3] * 8 + [1, 0]),
        ("a list of all", 99, [25, 15, 5, 0]),
    ],
    "test_what_is_raised_is_a_failure": [("ValueError",), ("KeyError",), ("AliotError",)],
}


class Platform(DevicePeer):
    """`tasks` {id: task}; updates change their status."""

    def __init__(self, *tasks):
        super().__init__(self.reply)
        self.tasks = {task["taskId"]: task for task in tasks}
        self.list = None  # the data of a list that is scripted
        self.page = None  # most tasks in a list, which has those that are open
        self.code = 200
        aliot.thing.requests.sleep_ms = self.skip  # waits that the rate asks for

    def reply(self, topic, message):
        params = message.get("params")
        if topic == GET and params["taskId"] == "$list":
            tasks = [{"taskId": id, "status": self.tasks[id]["status"]} for id in sorted(self.tasks)]
            if self.page:
                tasks = [one for one in tasks if one["status"] in OPEN][: self.page]
            return 200, self.list or {"taskId": "$list", "tasks": tasks}
        if topic == GET:
            task = self.tasks.get(params["taskId"])
            return 200, {"taskId": params["taskId"], "task": task} if task else {}
        if topic == UPDATE:
            if self.code == 200 and params["taskId"] in self.tasks:
                self.tasks[params["taskId"]]["status"] = params["status"]
            return self.code and (self.code, {"taskId": params["taskId"], "status": params["status"]})

    def notify(self, task, id="9"):
        self.tasks[task["taskId"]] = task
        self.deliver(NOTIFY, {"id": id, "version": "1.0.0", "params": {"task": task}})

    def updates(self):
        return [message["params"] for message in self.messages(UPDATE)]


def task(id, status="SENT", **more):
    made = {"taskId": id, "status": status, "jobDocument": {"do": id}}
    made.update(more)
    return made


def test_a_job_that_is_pushed():
    peer = Platform()
    seen = []

    def carry_out(job):
        seen.append((job.id, job.status, job.document))
        job.update("IN_PROGRESS", 50)
        job.update("SUCCEEDED", 100, {"k": "v"})

    jobs = Jobs(peer, carry_out)
    peer.connect()
    peer.run(jobs, 100)
    peer.notify(task("t1"))
    peer.notify(task("t1"))
    peer.run(jobs, 1000)
    assert seen == [("t1", "SENT", {"do": "t1"})]
    replies = peer.messages(NOTIFY + "_reply")
    assert (
        len(replies) == 2
        and replies[0]["id"] == "9"
        and replies[0]["code"] == 200
        and replies[0]["data"] == {}
    )
    assert peer.updates() == [
        {"taskId": "t1", "status": "IN_PROGRESS", "progress": 50, "statusDetails": {}},
        {"taskId": "t1", "status": "SUCCEEDED", "progress": 100, "statusDetails": {"k": "v"}},
    ]


def test_jobs_that_were_given_while_it_was_away():
    peer = Platform(task("a", "QUEUED"), task("b", "IN_PROGRESS"), task("c", "FAILED"), task("d", "SENT"))
    seen = []
    jobs = Jobs(peer, lambda job: seen.append((job.id, job.status)))
    peer.connect()
    peer.run(jobs, 1000)
    assert seen == [("a", "QUEUED"), ("b", "IN_PROGRESS"), ("d", "SENT")]
    peer.connect()
    peer.run(jobs, 1000)
    assert len(seen) == 3  # they are known
    peer.restart()
    jobs = Jobs(peer, lambda job: seen.append((job.id, job.status)))
    peer.connect()
    peer.run(jobs, 1000)
    assert len(seen) == 6  # power was off: what was not ended comes again


def test_more_jobs_than_a_list_has(name, page, lists):
    peer = Platform(*[task("t%02d" % number, "QUEUED") for number in range(25)])
    peer.page = page
    seen = []
    held = []

    def carry_out(job):
        seen.append(job.id)
        held.append(len(jobs.queue))
        job.update("SUCCEEDED", 100)

    jobs = Jobs(peer, carry_out)
    peer.connect()
    peer.run(jobs, 60000)
    assert (
        seen == ["t%02d" % number for number in range(25)] and held == [0] * 25
    )  # no two documents in memory
    assert asked(peer, "$list") == len(lists) and len(peer.messages(GET)) == len(lists) + 25
    peer.run(jobs, 600000)
    assert asked(peer, "$list") == len(lists)


def asked(peer, id):
    return len([one for one in peer.messages(GET) if one["params"]["taskId"] == id])


def test_jobs_behind_those_that_take_long():
    """The list has ten that the application goes on with; the others follow when it has ended one."""
    peer = Platform(*[task("t%02d" % number, "QUEUED") for number in range(12)])
    peer.page = 10
    seen = []
    jobs = Jobs(peer, seen.append)
    peer.connect()
    peer.run(jobs, 60000)
    assert len(seen) == 10 and asked(peer, "$list") == 1
    seen[3].update("IN_PROGRESS", 50)
    peer.run(jobs, 1000)
    assert len(seen) == 10 and asked(peer, "$list") == 1
    seen[3].update("SUCCEEDED", 100)
    peer.run(jobs, 1000)
    assert [job.id for job in seen] == ["t%02d" % number for number in range(11)]


def test_a_job_that_is_not_answered_is_asked_for_again():
    peer = Platform(task("a"), task("b"))
    lost = ["a"]
    reply = peer.answer
    peer.answer = lambda topic, message: (
        reply(topic, message) if message["params"].get("taskId") not in lost else None
    )
    seen = []
    jobs = Jobs(peer, lambda job: seen.append(job.id))
    peer.connect()
    peer.run(jobs, 60000)
    assert not seen and [fields["code"] for state, fields in peer.states if fields] == ["thing.silent"]
    lost.clear()
    peer.run(jobs, 60000)
    assert seen == ["b", "a"]


def test_a_job_that_has_gone_meanwhile():
    peer = Platform()
    peer.list = {"tasks": [{"taskId": "gone", "status": "SENT"}]}
    seen = []
    jobs = Jobs(peer, seen.append)
    peer.connect()
    peer.run(jobs, 1000)
    assert not seen and not jobs.queue and not peer.failures


def test_a_notice_that_names_no_job_is_answered_460(name, message):
    peer = Platform()
    seen = []
    jobs = Jobs(peer, seen.append)
    peer.deliver(NOTIFY, message)
    peer.run(jobs, 100)
    assert (
        [one["code"] for one in peer.messages(NOTIFY + "_reply")] == [460] and not seen and not peer.failures
    )


def test_lists_that_are_none(name, data):
    peer = Platform()
    peer.list = data or {"tasks": None}
    seen = []
    jobs = Jobs(peer, seen.append)
    peer.connect()
    peer.run(jobs, 1000)
    assert not seen and not peer.failures and [state for state, fields in peer.states] == ["connected"]


def test_what_is_raised_is_a_failure(name):
    from aliot.errors import AliotError

    peer = Platform()

    def carry_out(job):
        raise {"ValueError": ValueError, "KeyError": KeyError, "AliotError": AliotError}[name]("why")

    jobs = Jobs(peer, carry_out)
    peer.notify(task("t1"))
    peer.run(jobs, 1000)
    assert peer.updates() == [
        {"taskId": "t1", "status": "FAILED", "progress": 0, "statusDetails": {"error": name}}
    ]
    assert peer.states[0][1]["code"] == "handler"


def test_a_lost_connection_lets_it_come_again():
    peer = Platform()
    seen = []

    def carry_out(job):
        seen.append(job.id)
        if len(seen) == 1:
            peer.disconnect()
            raise LinkError("gone", "offline")

    jobs = Jobs(peer, carry_out)
    peer.notify(task("t1"))
    peer.run(jobs, 1000)
    peer.connect()
    peer.run(jobs, 1000)
    assert seen == ["t1", "t1"] and not peer.updates()


def test_many_jobs_that_come_while_the_connection_is_lost_in_one():
    peer = Platform()
    seen = []

    def carry_out(job):
        seen.append(job.id)
        if len(seen) == 1:
            for number in range(25):
                peer.notify(task("more%d" % number))
            while peer.queue:
                peer.serve(1)
            raise LinkError("gone", "offline")
        peer.tasks[job.id]["status"] = "SUCCEEDED"

    jobs = Jobs(peer, carry_out)
    peer.notify(task("a1"))
    peer.run(jobs, 1000)
    assert [fields["code"] for state, fields in peer.states] == ["offline"]
    peer.connect()
    peer.run(jobs, 5000)
    assert seen == ["a1"] + ["more%d" % number for number in range(25)] + ["a1"]


def test_details_that_json_does_not_hold():
    peer = Platform()
    got = []

    def carry_out(job):
        for value in (float("nan"), b"x", peer, chr(0xD800)):
            try:
                job.update("SUCCEEDED", 100, {"a": [value]})
            except ValueError:
                got.append(job.status)

    jobs = Jobs(peer, carry_out)
    peer.notify(task("t1"))
    peer.run(jobs, 1000)
    assert got == ["SENT"] * 4 and not peer.updates()


def test_updates_that_are_refused():
    peer = Platform()
    got = []

    def carry_out(job):
        got.append(raised(job.update, "TIMED_OUT").code)
        for code in (460, 500, None):
            peer.code = code
            got.append(raised(job.update, "SUCCEEDED", timeout=500).code)
        assert job.status == "SENT"

    jobs = Jobs(peer, carry_out)
    peer.notify(task("t1"))
    peer.run(jobs, 3000)
    assert got == ["thing.460", "thing.460", "thing.500", "thing.silent"]


def test_the_file_of_a_job():
    files = Files(http(DATA))
    peer = Platform()
    got = []

    def carry_out(job):
        if job.id == "good":
            job.fetch("/job.bin", 2000)
            got.append(os.stat("/job.bin")[6])
        else:
            got.append(raised(job.fetch, "/other.bin", 1000).code)

    jobs = Jobs(peer, carry_out)
    right = {"signMethod": "Sha256", "sign": sign(DATA), "fileUrl": "https://h.example/a"}
    peer.notify(task("good", jobFile=right))
    peer.notify(task("large", jobFile=right))
    peer.notify(task("none"))
    peer.notify(task("text", jobFile="x"))
    peer.notify(task("no digest", jobFile={"fileUrl": "https://h.example/a"}))
    peer.notify(task("no address", jobFile={"signMethod": "Sha256", "sign": sign(DATA)}))
    peer.run(jobs, 3000)
    assert got == [1500, "download.size", "download.url", "download.url", "download.digest", "download.url"]
    assert len(files.asked) == 2 and "other.bin" not in os.listdir("/")
