"""The device tests of this folder, on both interpreters."""

from host_tests.firmware.device.conftest import pytest_pycollect_makemodule
