"""Runs the device tests of the folders in FOLDERS on both interpreters (support/device_tests.py); packages' key."""

from functools import lru_cache

import pytest

from host_tests.support import device_tests, packages
from host_tests.support.paths import VECTORS
from tools.emulator.board import umqtt

FOLDERS = ("device", "thing", "services")


@pytest.fixture(scope="session")
def key(tmp_path_factory):
    """The key that signs packages."""
    return packages.signing_key(tmp_path_factory.mktemp("ota"))


@pytest.fixture(scope="module")
def any_tree():
    """Packages of three files, which is all that boards in memory need."""
    with packages.any_tree():
        yield


def pytest_pycollect_makemodule(module_path, parent):
    """Never import a device test on the host."""
    return DeviceFile.from_parent(parent, path=module_path) if module_path.parent.name in FOLDERS else None


class DeviceFile(pytest.File):
    def collect(self):
        found, heap = device_tests.read(self.path, VECTORS)
        runs = [(which, which, None) for which in device_tests.INTERPRETERS]
        runs += [
            (f"micropython-umqtt-{version}", "micropython", folder)
            for version, folder in umqtt.others().items()
        ]
        for name, which, mqtt in runs:
            for case in found:
                label = f"-{case.label}" if case.label else ""
                yield DeviceTest.from_parent(
                    self, name=f"{case.function}[{name}{label}]", case=case, board=(which, heap, mqtt)
                )


class DeviceTest(pytest.Item):
    def __init__(self, *, case, board, **more):
        super().__init__(**more)
        self.case, self.board = case, board

    def runtest(self):
        failed = _outcomes(str(self.path), self.case.function, *self.board)[
            self.case.function, self.case.label
        ]
        if failed:
            raise DeviceFailure(failed)

    def repr_failure(self, excinfo, style=None):
        return (
            str(excinfo.value)
            if isinstance(excinfo.value, DeviceFailure)
            else super().repr_failure(excinfo, style)
        )

    def reportinfo(self):
        return self.path, None, self.name


class DeviceFailure(Exception):
    """What the device printed, its traceback last."""


@lru_cache(maxsize=None)
def _outcomes(path, function, which, heap, mqtt):
    """{(function, label): failure or None}: all rows of a function run on one board."""
    mine = [case for case in device_tests.read(path, VECTORS)[0] if case.function == function]
    results = device_tests.run(path, mine, which, heap, mqtt)
    return {(case.function, case.label): failure for case, failure in results.items()}
