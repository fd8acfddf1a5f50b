"""One question and its answer; direct.md 6. Imported for it and dropped.

Form, exchange and answer are imported one after another: TLS needs the memory that they would take together.
"""

from aliot import part
from aliot.errors import RegistrationError
from aliot.guide import drop


def put(guided, device, host, path):
    """Ask `host` and go where the answer says. LinkError, or an error of aliot.guide.refusals."""
    device.state("asking", {"host": host, "path": path})
    now = part("clock").now() if device.server else 0
    form = part("guide.forms").question(guided, path, now, device.sign_method)
    drop("forms")
    try:
        answer = part("guide.post").post(guided.own, host, guided.register_roots, path, form, device.timeout)
        drop("post")
        told = part("guide.forms").told(path, *answer)
    except RegistrationError as problem:
        raise part("guide.refusals").GuideError(problem.detail)
    finally:
        drop("post")
        drop("forms")
    if not (guided.told and guided.bootstrap == "global"):
        guided.since = now
    guided.renewed = now
    guided.used = False
    guided.take(device, *told)
