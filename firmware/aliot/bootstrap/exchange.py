"""One question and its answer; direct.md 6. Imported for it and dropped."""

from aliot import clock, load
from aliot.bootstrap import messages
from aliot.errors import RegistrationError
from aliot.registration import https


def ask(endpoint, device, host, path):
    """Ask `host` and go where the answer says. LinkError, or an error of aliot.bootstrap.refusals."""
    device.state("asking", {"host": host, "path": path})
    now = clock.utc() if clock.server else 0
    form = messages.question(endpoint, path, now, device.sign_method)
    try:
        found = messages.answer(path, *https.post(endpoint.own, host, path, form, device.timeout))
    except RegistrationError as problem:
        raise load("bootstrap.refusals").GuideError(problem.detail)
    if not (endpoint.address and endpoint.bootstrap == "global"):
        endpoint.since = now
    endpoint.renewed = now
    endpoint.used = False
    endpoint.take(device, *found)
