"""OTA of one instance: its parts, the events that start them, and their clock (application.md 5)."""

from __future__ import annotations

import asyncio
import secrets
from typing import TYPE_CHECKING

from tools.emulator.cloud.ota.blocks import Blocks
from tools.emulator.cloud.ota.campaigns import Campaigns
from tools.emulator.cloud.ota.downloads import Downloads
from tools.emulator.cloud.ota.keys import Keys
from tools.emulator.cloud.ota.messages import Messages
from tools.emulator.cloud.ota.packages import Packages

if TYPE_CHECKING:
    from tools.emulator.cloud.instance import Instance
    from tools.emulator.cloud.sessions import Session

SECRET = "ota_url_secret"  # setting: hex of the key that URLs are signed with
TICK_SECONDS = 0.25  # how late a batch, a retry or a timeout may come


class Ota:
    """`packages`, `keys`, `campaigns`, `downloads` of `instance`; its topics are in the table of requests."""

    def __init__(self, instance: Instance):
        secret = instance.store.setting(SECRET)
        if secret is None:
            secret = secrets.token_hex(32)
            instance.store.save_setting(SECRET, secret)
        key = bytes.fromhex(secret)
        self.packages, self.keys = Packages(instance), Keys(instance)
        self.campaigns = Campaigns(instance, self.packages)
        self.campaigns.messages = Messages(instance, self.packages, self.keys, self.campaigns, key)
        self.downloads = Downloads(instance, self.packages, key)
        self.blocks = Blocks(instance, self.packages, self.campaigns)
        self.timer: asyncio.TimerHandle | None = None
        instance.sessions.on_ready = self.ready

    def ready(self, session: Session) -> None:
        """A device has its CONNACK, a sub-device its reply."""
        self.campaigns.ready(session.key[:2])

    def run(self, loop: asyncio.AbstractEventLoop) -> None:
        """Looks at the clock now, and again and again until `stop`."""
        self.timer = loop.call_later(TICK_SECONDS, self.run, loop)
        self.campaigns.tick()

    def stop(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
