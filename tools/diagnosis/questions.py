"""What a board asks the platform before it connects, asked from here: /auth/bootstrap, then /auth/devicename."""

import time
from collections.abc import Iterator, Mapping

from aliot.bootstrap import AskingEndpoint, Token, messages
from aliot.credentials import Credential
from aliot.errors import AliotError

from tools.diagnosis import probes
from tools.image.identity import Identity


def questions(
    network: probes.Network,
    who: Identity,
    device: Credential,
    where: AskingEndpoint,
    trusted: Mapping[str, str],
    timeout: float,
    *,
    authenticate: bool = True,
) -> Iterator[tuple[str, str, tuple[str | int, ...] | probes.Refusal | None]]:
    """Asks as the board would: yields (path, host, answer) for each question; a Refusal as the answer is the last.

    An answer is (host, port), to /auth/devicename also iotId and iotToken. With `authenticate` False that question is
    not asked: its answer is None. `where` (aliot.bootstrap.AskingEndpoint) goes on with each answer.
    """
    where.own = device
    while question := where.question():
        host, path = question
        if path == "/auth/devicename" and not authenticate:
            yield path, host, None
            return
        try:
            answer = ask(network, host, path, form(who, device, where, path), trusted, timeout)
        except probes.Refusal as refusal:
            yield path, host, refusal
            return
        where.address = answer[:2]
        where.go(*answer[:2])
        if len(answer) == 4:
            where.token = Token(device, *answer[2:])
        yield path, host, answer


def form(who: Identity, device: Credential, where: AskingEndpoint, path: str) -> str:
    if path == "/auth/bootstrap":
        return messages.bootstrap(device)
    return messages.authentication(
        device, int(time.time() * 1000), who.sign_method or "hmacsha256", where.bootstrap == "region"
    )


def ask(
    network: probes.Network, host: str, path: str, text: str, trusted: Mapping[str, str], timeout: float
) -> tuple[str | int, ...]:
    """One question. Refusal with the advice that the board itself would give."""
    stream, _, _ = probes.secure(network, host, 443, trusted)
    with stream:
        status, data = probes.post(stream, host, path, text, timeout)
    try:
        found = messages.result(status, data)
        return messages.place(found) + (messages.token(found) if path == "/auth/devicename" else ())
    except AliotError as problem:
        raise probes.Refusal(f"{problem.code}: {problem.detail}", problem.advice) from None
