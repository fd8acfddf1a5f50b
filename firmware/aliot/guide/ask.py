"""One question over HTTPS, /auth/devicename or /auth/bootstrap, and its answer; direct.md 6.

Imported for the question and dropped. Answers are read as those of a registration are.
"""

from aliot import clock, part
from aliot.errors import RegistrationError
from aliot.guide.forms import authentication, bootstrap, place, result, token
from aliot.registration import https
from aliot.transport import connect

TIMESTAMP = 2524608000000  # what the SDKs send; without a clock that was set it is as good as any
_HEAD = ("POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/x-www-form-urlencoded;charset=utf-8\r\n"
         "Content-Length: %d\r\n\r\n%s")


def ask(guided, host, path, device):
    """(host, port), after /auth/devicename with iotId and iotToken (a Secret), for the endpoint `guided` of `device`.

    LinkError, or an error of aliot.guide.refusals. `device.timeout` bounds all of it, DNS apart.
    """
    own = guided.own
    authenticates = path == "/auth/devicename"
    if authenticates:
        timestamp = clock.now() * 1000 if device.server else TIMESTAMP
        form = authentication(own, timestamp, device.sign_method, guided.bootstrap == "region")
    else:
        form = bootstrap(own)
    data = post(own, host, guided.register_roots, path, form, device.timeout)
    return place(data) + (token(data) if authenticates else ())


def post(credential, host, roots, path, form, timeout):
    """The `data` of the answer to a form."""
    stream = connect(credential, host, 443, roots, timeout)
    try:
        stream.write((_HEAD % (path, host, len(form), form)).encode())
        return result(*https.answer(stream))
    except RegistrationError as problem:
        raise part("guide.refusals").GuideError(problem.detail)
    finally:
        stream.close()
