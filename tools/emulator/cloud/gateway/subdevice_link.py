"""The connection of a sub-device: its gateway's (gateway.md 1, 11)."""


class Carried:
    """Stands where an MQTT connection stands for a direct device; everything goes through the gateway's."""

    def __init__(self, platform, session, gateway):
        self.platform, self.session, self.gateway = platform, session, gateway

    @property
    def link(self):
        return self.gateway.peer.link

    def send(self, packet, stage):
        self.gateway.peer.send(packet, stage)

    def note(self, event, **fields):
        """Logs about the sub-device."""
        pk, dn, _ = self.session.key
        self.platform.instance.journal.event(
            event,
            where=self.link.listener.where,
            pk=pk,
            dn=dn,
            gateway="/".join(self.gateway.key[:2]),
            **fields,
        )

    def kick(self, reason, how="close"):
        """The sub-device is thrown off; its gateway stays and is told (gateway.md 9)."""
        self.platform.force_offline(self.session, self.platform.switches.taken_over, reason)
