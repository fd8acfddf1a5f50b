"""Taking sub-devices offline; gateway.md 8.3."""

from aliot.gateway.asking.job import Job
from aliot.gateway.asking.items import pair
from aliot.gateway.asking.names import rows
from aliot.gateway.rows import ONLINE, WANTED


def ask(gateway, subdevices, strict):
    job = Logout(gateway)
    job.run(job.asked(rows(gateway, subdevices, strict)))


class Logout(Job):
    TAIL = "combine/batch_logout"
    ONE = "combine/logout"
    MOST = 50
    LONGEST = 90
    REPLY = 90

    def asked(self, rows):
        for row in rows:
            self.rows.change(row, WANTED)
            if self.rows.state(row) & ONLINE:
                yield row

    def item(self, row):
        return pair(self.rows.entry(row))

    def one(self, row):
        return self.item(row).encode()

    def took(self, batch, data):
        for row in batch:
            self.done(row)
        return ()

    def done(self, row):
        self.rows.change(row, ONLINE | WANTED)

    def fail(self, row, code, message=""):
        self.done(row)
        if code != 520:  # it has no session, as it should be
            super().fail(row, code, message)
