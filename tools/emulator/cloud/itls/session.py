"""The server's end of one iTLS connection, over memory buffers as `ssl.SSLObject` is (id2.md 4)."""

from __future__ import annotations

import hmac
import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tools.emulator.cloud.id2 import codes
from tools.emulator.cloud.id2.service import Challenged, Claim, Conversation, Provisioned
from tools.emulator.cloud.itls import alerts, faults, messages
from tools.emulator.cloud.itls.alerts import Alert
from tools.emulator.cloud.itls.messages import FRAGMENTS, ClientHello
from tools.emulator.cloud.itls.records import (
    ALERT,
    BLOCK,
    DATA,
    HANDSHAKE,
    PLAIN_MAX,
    Protection,
    Reader,
    frame,
)
from tools.emulator.cloud.itls.server_hello import Hello
from tools.emulator.cloud.itls.suites import choose, derive

if TYPE_CHECKING:
    from tools.emulator.cloud.faults import Fault
    from tools.emulator.cloud.itls.suites import Suite

PREMASTER_SIZE = 48


class Alone:
    """Stands for the `ItlsLink` of a session without a connection: no faults, no log."""

    gone = False

    def take(self, stage: str, pk: str, dn: str) -> None:
        return None

    def note(self, event: str, **fields: Any) -> None:
        pass


class Session:
    """`incoming` and `outgoing` are `ssl.MemoryBIO`s; raises `Alert` where TLS raises `SSLError`.

    `around` is the `ItlsLink`: its faults strike at each answer. States: hello, finished (the device's
    is awaited), open, over.
    """

    asked_name = None  # iTLS has no server name

    def __init__(self, service, incoming, outgoing, around=None):
        self.service, self.incoming, self.outgoing = service, incoming, outgoing
        self.around = around or Alone()
        self.switches, self.random = service.config.switches, service.random
        self.reader, self.joiner = Reader(), messages.Joiner()
        self.talk, self.first_hello = Conversation(), None
        self.state = "hello"
        self.identity = self.suite = self.keys = self.reading = self.writing = None
        self.transcript = self.heard_finished = b""
        self.plain, self.held = bytearray(), bytearray()
        self.closed = False  # the peer has said goodbye
        self.fragment = min(service.config.limits.itls_record_bytes, PLAIN_MAX)
        self.largest = PLAIN_MAX

    # ---- what `ssl.SSLObject` offers

    def version(self) -> str:
        return "iTLS"

    def cipher(self) -> tuple[str, str, int] | None:
        return (self.suite.name, self.version(), self.suite.key * 8) if self.suite else None

    def do_handshake(self) -> None:
        """Raises `ssl.SSLWantReadError` until both Finished are exchanged."""
        self.pump(lambda: self.state == "open")
        if self.closed:
            raise Alert(alerts.CLOSE, "the device has closed")
        if self.state != "open":
            raise ssl.SSLWantReadError

    def read(self, size: int) -> bytes:
        """Up to `size` bytes of plaintext; b"" once the peer has closed."""
        self.pump(lambda: self.plain)
        if not self.plain and not self.closed:
            raise ssl.SSLWantReadError
        data = bytes(self.plain[:size])
        del self.plain[:size]
        return data

    def write(self, data: bytes) -> int:
        for at in range(0, len(data), self.fragment):
            fault = self.strike("record")
            self.respond("record", DATA, bytes(data[at : at + self.fragment]), fault)
        return len(data)

    def unwrap(self) -> None:
        """Send the closing alert, unless the connection has failed."""
        if self.state == "open":
            self.send(ALERT, bytes((alerts.WARNING, alerts.CLOSE)))
            self.state = "over"

    # ---- in

    def pump(self, enough: Callable[[], object]) -> None:
        """Handle whole records until there are none left or `enough()` is true."""
        self.reader.feed(self.incoming.read())
        try:
            while not (enough() or self.closed or self.state == "over" or self.around.gone):
                record = self.reader.next()
                if record is None:
                    return
                self.take(*record)
        except Alert as alert:
            self.fail(alert)
            raise

    def fail(self, alert: Alert) -> None:
        """End the session with an alert; it is sent unless it came from the peer."""
        received = self.state == "over"
        self.around.note("alert received" if received else "alert sent", code=alert.code, reason=alert.reason)
        if not received:
            if self.state == "finished" and self.switches.itls_early_alert == "encrypted":
                self.start_writing()
            self.send(ALERT, bytes((alerts.FATAL, alert.code)))
        self.state = "over"

    def take(self, kind: int, body: bytes) -> None:
        if kind == ALERT and self.state == "finished" and len(body) == 2:
            return self.take_alert(body)  # the device refuses the ServerHello, it has no keys yet
        if self.reading:
            body = self.reading.open(kind, body)
            if len(body) > self.largest:
                raise Alert(alerts.OVERFLOW, f"a record holds {len(body)} bytes, {self.largest} are agreed")
        if kind == ALERT:
            return self.take_alert(body)
        if kind == DATA and self.state == "open":
            self.plain += body
            return None
        if kind != HANDSHAKE or self.state == "open" or not body:
            raise Alert(alerts.UNEXPECTED, f"a record of type {kind} in state {self.state}")
        self.joiner.feed(body)
        while (found := self.joiner.next()) is not None:
            self.take_message(*found)
        return None

    def take_alert(self, body: bytes) -> None:
        """A fatal one ends it, a goodbye closes, other warnings are ignored (id2.md 4.8)."""
        if len(body) != 2 or body[0] not in (alerts.WARNING, alerts.FATAL):
            raise Alert(alerts.DECODE, "an alert is malformed")
        level, code = body
        if level == alerts.FATAL:
            self.state = "over"
            raise Alert(code, f"the device sent alert {code}")
        self.closed = self.closed or code == alerts.CLOSE

    def take_message(self, kind: int, whole: bytes) -> None:
        if self.state == "hello" and kind == messages.CLIENT_HELLO:
            self.take_hello(ClientHello.parse(whole), whole)
        elif self.state == "finished" and kind == messages.FINISHED:
            self.take_finished(whole)
        else:
            raise Alert(alerts.UNEXPECTED, f"a handshake message of type {kind} in state {self.state}")

    # ---- the handshake

    def take_hello(self, hello: messages.ClientHello, whole: bytes) -> None:
        messages.check_hello(hello, self.first_hello, self.switches)
        suite = choose(hello, self.switches)
        self.first_hello = hello
        claim = Claim(
            hello.extensions.get(messages.PRODUCT_KEY, b""), hello.id2, hello.extensions[messages.CODE]
        )
        greets = claim.code or self.switches.itls_hello_verify == "left_out"
        stage = "provision" if claim.unprovisioned else "server_hello" if greets else "challenge"
        fault = self.strike(stage, claim)
        if fault and fault.unprocessed:
            return self.around.strike(fault)
        answer = self.service.hear(self.talk, claim)
        if isinstance(answer, Provisioned):
            self.first_hello = None
            self.around.note("provisioned", pk=claim.product_key.decode(), id2=answer.id2)
            return self.verify(stage, (messages.PROVISIONED, answer.response), fault)
        if isinstance(answer, Challenged):
            return self.verify(stage, (messages.CHALLENGE, answer.challenge), fault)
        self.identity = answer.identity
        self.around.note(
            "authenticated", pk=self.identity.product_key, dn=self.identity.device_name, id2=self.identity.id2
        )
        return self.greet(hello, whole, suite, answer.device_signature, fault)

    def verify(self, stage: str, extension: tuple[int, bytes], fault: Fault | None) -> None:
        """A HelloVerifyRequest."""
        spoiled = fault if fault and fault.kind == "spoil" else None
        answer = (faults.SPOILS[stage][spoiled["what"]] if spoiled else messages.hello_verify)(extension)
        self.respond(stage, HANDSHAKE, answer, None if spoiled else fault)

    def greet(
        self,
        hello: messages.ClientHello,
        whole: bytes,
        suite: Suite,
        device_signature: bytes,
        fault: Fault | None,
    ) -> None:
        """The ServerHello: keys are made, and the device's next record must be protected."""
        if self.joiner.buffer:
            raise Alert(alerts.UNEXPECTED, "bytes after the hello that ends the clear")
        greeting = self.greeting(hello, suite, device_signature)
        if fault and fault.kind == "spoil":
            faults.SERVER_HELLOS[fault["what"]](greeting)
            fault = None
        answer, id2 = greeting.message(), self.identity.id2
        earlier, self.service.greetings[id2] = self.service.greetings.get(id2), answer
        if greeting.replayed:
            answer = earlier or answer
        self.suite = suite
        self.keys = derive(suite, greeting.premaster, hello.random, greeting.random)
        self.transcript = whole + answer
        self.state = "finished"
        self.reading = Protection(self.keys.client_mac, self.keys.client_key, suite.hash)
        self.respond("server_hello", HANDSHAKE, answer, fault)

    def greeting(self, hello: messages.ClientHello, suite: Suite, device_signature: bytes) -> Hello:
        identity, random = self.identity, self.random(32)
        session_id = self.random(32) if self.switches.itls_session_id == "random" else b""
        premaster = self.random(PREMASTER_SIZE)
        code = codes.server_code(identity.id2, identity.key, hello.random.hex().upper())
        extensions = {
            "server_code": (messages.CODE, code.encode()),
            "premaster": (messages.PREMASTER, identity.key.encrypt(premaster)),
        }
        fragment = hello.extensions.get(messages.FRAGMENT)
        if fragment is not None:
            self.fragment = min(self.fragment, FRAGMENTS[fragment[0]])
            if self.switches.itls_max_fragment == "echo":
                self.largest = FRAGMENTS[fragment[0]]
                extensions["max_fragment"] = (messages.FRAGMENT, fragment)
        return Hello(
            identity,
            hello.random,
            device_signature,
            random,
            session_id,
            premaster,
            suite.number,
            [extensions[name] for name in self.switches.itls_extension_order if name in extensions],
            self.random,
        )

    def take_finished(self, whole: bytes) -> None:
        expected = messages.finished(self.keys.verify(b"client", self.transcript))
        if not hmac.compare_digest(expected, whole) or self.joiner.buffer:
            raise Alert(alerts.DECODE, "the device's Finished is wrong")
        fault = self.strike("finished")
        if fault and fault.unprocessed:
            return self.around.strike(fault)
        self.heard_finished = whole
        self.start_writing()
        self.state = "open"
        return self.respond(
            "finished",
            HANDSHAKE,
            messages.finished(self.keys.verify(b"server", self.transcript + whole)),
            fault,
        )

    def start_writing(self) -> None:
        self.writing = Protection(self.keys.server_mac, self.keys.server_key, self.suite.hash)

    # ---- out

    def strike(self, stage: str, claim: Claim | None = None) -> Fault | None:
        """The fault that strikes at `stage`, if any."""
        if claim is None:
            return self.around.take(stage, self.identity.product_key, self.identity.device_name)
        product_key, id2 = (one.decode("ascii", "replace") for one in (claim.product_key, claim.id2))
        known = self.service.identities.by_id.get(id2)
        return self.around.take(stage, product_key, known and known.device_name)

    def respond(self, stage: str, kind: int, data: bytes, fault: Fault | None) -> None:
        """Sends one answer, as `fault` has it."""
        if fault is None:
            self.send(kind, data)
        elif fault.kind == "spoil":
            self.put(faults.SPOILS[stage][fault["what"]](self, kind, data))
        elif fault.kind == "framing":
            self.put(faults.FRAMINGS[fault["what"]](self, kind, data))
        elif fault.kind == "together":
            self.hold(kind, data, fault)
        elif fault.kind == "alert":
            self.interrupt(kind, data, fault)
        elif self.around.strike(fault):
            self.send(kind, data)

    def interrupt(self, kind: int, data: bytes, fault: Fault) -> None:
        """An alert goes out, and then the answer, nothing, or the end."""
        if self.state == "open" and kind == HANDSHAKE and self.switches.itls_early_alert == "plain":
            self.put(frame(ALERT, bytes((fault["level"], fault["code"]))))
        else:
            self.send(ALERT, bytes((fault["level"], fault["code"])))
        if fault["then"] == "answer":
            self.send(kind, data)
        elif fault["then"] == "close":
            self.state = "over"
            self.around.close_after()

    def hold(self, kind: int, data: bytes, fault: Fault) -> None:
        """Keeps the record until the next one, which then goes out in the same segment, or for so long."""
        sealed = frame(kind, self.writing.seal(kind, data, self.random(BLOCK)))
        self.held += sealed
        self.around.later(fault["ms"], self.release)

    def release(self) -> None:
        held, self.held = bytes(self.held), bytearray()
        if held:
            self.outgoing.write(held)

    def send(self, kind: int, data: bytes) -> None:
        if self.writing:
            data = self.writing.seal(kind, data, self.random(BLOCK))
        self.put(frame(kind, data))

    def put(self, data: bytes) -> None:
        self.release()
        self.outgoing.write(data)
