"""One question and its answer; direct.md 6. Imported for it and dropped.

Form and answer are made by a module that is imported twice: TLS needs the memory between.
"""

from aliot import clock, load, unload
from aliot.errors import RegistrationError


def ask(endpoint, device, host, path):
    """Ask `host` and go where the answer says. LinkError, or an error of aliot.bootstrap.refusals."""
    device.state("asking", {"host": host, "path": path})
    now = clock.utc() if clock.server else 0
    form = load("bootstrap.messages").question(endpoint, path, now, device.sign_method)
    unload("bootstrap.messages")
    try:
        answer = load("registration.https").post(endpoint.own, host, path, form, device.timeout)
        found = load("bootstrap.messages").told(path, *answer)
    except RegistrationError as problem:
        raise load("bootstrap.refusals").GuideError(problem.detail)
    if not (endpoint.told and endpoint.bootstrap == "global"):
        endpoint.since = now
    endpoint.renewed = now
    endpoint.used = False
    endpoint.take(device, *found)
