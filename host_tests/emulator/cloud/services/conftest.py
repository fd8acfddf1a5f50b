from host_tests.emulator.cloud.thing.conftest import call, world

__all__ = ["call", "world"]
