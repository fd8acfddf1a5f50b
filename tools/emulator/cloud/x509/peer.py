"""An MQTT connection behind a client certificate: its login, and the push that tells it who it is."""

from tools.emulator.cloud.codec import Publish
from tools.emulator.cloud.mqtt import SPOILING, MqttPeer, spoiled
from tools.emulator.cloud.x509 import login

TOPIC = "/ext/auth/identity/response"


class CertificatePeer(MqttPeer):
    """`link.proof` is the certificate; nothing else says who the device is (x509.md 4.1)."""

    named = False  # the CONNECT has a user name

    def claim(self, packet):
        binding = self.instance.certificates.bindings.get((self.link.proof.authority, self.link.proof.serial))
        return "connect", binding.device if binding else (None, None)

    def decide(self, packet):
        self.named = packet.username not in login.NAMELESS
        verdict = login.decide(packet, self.link.proof, self.instance.certificates, self.instance.wall())
        return self.instance.paced(verdict)

    def note(self, event, **fields):
        super().note(event, ca=self.link.proof.authority, serial=self.link.proof.serial, **fields)

    def greet(self):
        """The identity push, right after the CONNACK; no subscription is needed."""
        switches = self.config.switches
        if switches.x509_push == "unknown" and self.named:
            return
        fault = self.link.take("push", *self.names)
        content = fault if fault and fault.kind in SPOILING else None
        if fault and content is None and not self.link.arm(fault):
            return
        payload = spoiled({"productKey": self.names[0], "deviceName": self.names[1]}, content)
        number = self.session.packet_id() if switches.x509_push_qos else None
        self.instance.journal.message(
            "down", *self.names, TOPIC, payload, qos=switches.x509_push_qos, outcome="sent"
        )
        self.link.write(Publish(TOPIC, payload, switches.x509_push_qos, number).encode())
