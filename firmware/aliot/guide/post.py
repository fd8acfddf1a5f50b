"""A form over HTTPS. Its answer is read as that of a registration is."""

from aliot.registration.https import answer
from aliot.transport import connect

_HEAD = ("POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/x-www-form-urlencoded;charset=utf-8\r\n"
         "Content-Length: %d\r\n\r\n%s")


def post(credential, host, roots, path, form, timeout):
    """(HTTP status, body) of the answer, within `timeout` ms, DNS apart; LinkError or RegistrationError."""
    stream = connect(credential, host, 443, roots, timeout)
    try:
        stream.write((_HEAD % (path, host, len(form), form)).encode())
        return answer(stream)
    finally:
        stream.close()
