"""A signature that a board makes with a key in eFuse, held against the secret that was burned; hardware_hmac.md 1.

The board needs MicroPython and aliot, and no identity.
"""

import contextlib
import hashlib
import hmac
import secrets
import time

import esptool
from esptool.reset import HardReset
from mpremote.transport import TransportError, TransportExecError
from mpremote.transport_serial import SerialTransport

from tools.errors import UserError
from tools.firmware import record
from tools.flash import port as ports
from tools.image import release

PATIENCE = 4.0  # seconds for one try
ANSWERS = 30.0  # seconds within which a board has started and answers
# Runs on the board, in RAM. The names are such as an identity may have; only the block counts.
PROGRAM = """
import aliot
fields = {{{kind}: b"device", {product_key}: b"a1", {device_name}: b"name", {key_block}: bytes(({block},))}}
key = aliot.load("rare.efuse").burned(fields, bytes(6)).device_secret
print("signature", key.sign("hmacsha256", "{text}"))
"""


def check(port: str, block: int, key: bytes) -> None:
    """Reset the board on `port` and have it sign with KEY`block`; UserError unless that is the signature of `key`."""
    text = secrets.token_hex(40)
    found = _asked(port, block, text)
    if found != hmac.new(key, text.encode(), hashlib.sha256).hexdigest():
        raise UserError(
            f"the board signs with KEY{block}, but not as this secret does: another one was burned into it"
        )


def _asked(port, block, text):
    program = PROGRAM.format(
        kind=record.KIND,
        product_key=record.PRODUCT_KEY,
        device_name=record.DEVICE_NAME,
        key_block=record.KEY_BLOCK,
        block=block,
        text=text,
    )
    transport = None
    try:
        line = ports.open_port(port)
        line.dtr = False  # or it would start in its loader, where espefuse has left it
        HardReset(line)()
        line.close()
        transport = _at_its_prompt(port)
        printed = transport.exec(release.build().shortened(program)).decode(errors="replace")
    except TransportExecError as error:
        raise UserError(f"the board does not sign: {_last(error.error_output)}") from None
    except (TransportError, esptool.FatalError, OSError) as error:
        raise UserError(
            f"the board does not answer at its prompt ({' '.join(str(error).split())[:100]}): "
            "flash MicroPython and aliot, then try again"
        ) from None
    finally:
        if transport is not None:
            with contextlib.suppress(Exception):
                transport.close()
    word, _, found = printed.strip().rpartition("\n")[2].partition(" ")
    return found if word == "signature" else ""


def _at_its_prompt(port):
    """A transport to the raw REPL of a board that has just been reset: what it is sent while it starts is lost."""
    end = time.monotonic() + ANSWERS
    while True:
        transport = SerialTransport(port, timeout=ANSWERS)
        try:
            transport.enter_raw_repl(soft_reset=True, timeout_overall=PATIENCE)
            return transport
        except TransportError:
            transport.close()
            if time.monotonic() > end:
                raise


def _last(output):
    """The last line of a traceback."""
    lines = (output if isinstance(output, str) else output.decode(errors="replace")).strip().splitlines()
    return "".join(c for c in (lines or ["no reason"])[-1] if c.isprintable())[:200]
