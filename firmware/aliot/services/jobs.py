"""Jobs that the platform gives to a device; application.md 13.

    jobs = Jobs(device, carry_out)                  before the device connects

    def carry_out(job):                             called by poll(): it may wait
        job.update("IN_PROGRESS", 10)
        job.fetch("/new.bin", 100000)               its file, where it has one
        ...                                         what job.document says
        job.update("SUCCEEDED", 100, {"version": "2"})

Jobs come at once, and after each connect, one by one, all that were given meanwhile. One that is not ended when power
goes comes again, with the `status` that it had. What carry_out raises makes it FAILED; a LinkError lets it come again.
"""

from aliot import load
from aliot.errors import AliotError, LinkError
from aliot.services.download import fetch, hex_digest
from aliot.services.service import Service
from aliot.thing.errors import ThingError

_GET = "thing/job/get"
_OPEN = ("QUEUED", "SENT", "IN_PROGRESS")
_OURS = ("IN_PROGRESS", "SUCCEEDED", "FAILED", "REJECTED")
_LISTED = 10  # of a list, as the C SDK
_KNOWN = 20  # ids of which one that comes again is dropped


class Job:
    """`id`, `status` and `document` (what the platform's JSON has) of a job."""

    def __init__(self, jobs, task):
        self.jobs = jobs
        self.id = task["taskId"]
        self.status = task.get("status")
        self.document = task.get("jobDocument")
        self.file = task.get("jobFile")

    def update(self, status, progress=0, details=None, timeout=10000):
        """Report IN_PROGRESS, SUCCEEDED, FAILED or REJECTED, per cent, and a dict of details; waits.

        ThingError with the platform's code, 460 for another status; `thing.silent`; LinkError. ValueError for details
        that JSON does not hold.
        """
        if status not in _OURS:
            raise ThingError(460, "no status of a device: %s" % status)
        params = {"taskId": self.id, "status": status, "progress": progress, "statusDetails": details or {}}
        load("json_value").sendable(params)
        if status != "IN_PROGRESS" and self.jobs.left:
            self.jobs.listed = False
        self.jobs.requests.ask("thing/job/update", params, timeout)
        self.status = status

    def fetch(self, path, limit):
        """Download the job's file, of at most `limit` bytes, into the file `path`.

        AliotError `download.` and what was wrong; LinkError; StoreError.
        """
        file = self.file if isinstance(self.file, dict) else {}
        sign = hex_digest(file)
        if file and not sign:
            raise AliotError("no SHA-256", "download.digest")
        fetch(self.jobs.device, file.get("fileUrl"), path, sign, 0, limit)


class Jobs(Service):
    """The jobs of `device`, carried out one after the other."""

    listed = False  # the list of jobs has been asked for
    left = False  # it had some: when one is ended, others may be left
    asked = 0  # id of the request for the list or a job

    def __init__(self, device, handler):
        super().__init__(device)
        self.handler = handler
        self.queue = []  # of jobs
        self.open = []  # ids of a list
        self.known = []
        self.requests.on("thing/job/notify", self._notified)

    def begin(self):
        self.listed = False
        self.open = []

    def work(self):
        if self.queue:
            self._carry_out(self.queue.pop(0))
        elif self.asked in self.requests.waiting:
            return
        elif self.open:
            self.asked = self.requests.send(_GET, {"taskId": self.open.pop(0)}, self._got)
        elif not self.listed:
            self.listed = True
            self.asked = self.requests.send(_GET, {"taskId": "$list"}, self._list)

    def _carry_out(self, job):
        try:
            self.handler(job)
        except LinkError:
            if job.id in self.known:  # they are bounded, and others have come meanwhile
                self.known.remove(job.id)
            raise
        except Exception as problem:
            self.call(_raise, problem)
            job.update("FAILED", 0, {"error": type(problem).__name__})

    def _notified(self, topic, message):
        params = message.get("params")
        task = params.get("task") if isinstance(params, dict) else None
        if not _is_task(task):
            self.requests.answer(topic, message, 460, text="no task")
            return
        self._take(task)
        self.requests.answer(topic, message)

    def _list(self, data, problem):
        if problem:
            self._refused(problem)
            return
        tasks = data.get("tasks") if isinstance(data, dict) else None
        tasks = tasks[:_LISTED] if isinstance(tasks, list) else []
        self.left = bool(tasks)
        for task in tasks:
            if _is_task(task) and task.get("status") in _OPEN and task["taskId"] not in self.known:
                self.open.append(task["taskId"])

    def _got(self, data, problem):
        task = data.get("task") if isinstance(data, dict) else None
        if problem:
            self._refused(problem)
        elif _is_task(task):
            self.done()
            self._take(task)

    def _refused(self, problem):
        if problem.retry != "never":
            self.listed = False
        self.failed(problem)

    def _take(self, task):
        if task["taskId"] in self.known or task.get("status", "SENT") not in _OPEN:
            return
        self.known.append(task["taskId"])
        self.known = self.known[-_KNOWN:]
        self.queue.append(Job(self, task))


def _is_task(task):
    return isinstance(task, dict) and isinstance(task.get("taskId"), str) and task["taskId"]


def _raise(problem):
    raise problem
