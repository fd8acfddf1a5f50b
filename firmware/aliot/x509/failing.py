"""What a connect that failed means for an X.509 board; imported when it happens."""

from aliot import clock
from aliot.errors import LinkError
from aliot.x509 import X509Error


class IdentityChanged(LinkError):
    """The platform says that the certificate belongs to another device than before; the connection ends."""

    code = "x509.identity"
    retry = "never"


def changed(credential, named):
    """The error for a push that names another device; what is tried next asks for the identity first."""
    credential.asking = credential.asking or credential.trying is credential.current
    return IdentityChanged(
        "%s %s, not %s %s"
        % (named.product_key, named.device_name, credential.product_key, credential.device_name)
    )


def dated(pair, now):
    """The error for a pair that is out of date at `now` (Pair.check)."""
    detail = "certificate %s is valid to %s" % (pair.serial, pair.expires)
    if pair.ends < (now or clock.utc()):
        return X509Error(detail, "x509.expired")
    return X509Error(detail + ", but not yet", "x509.future", "later")


def failed(credential, problem):
    """What to raise for `problem`: where the next certificate was tried, the current one gets its turn at once."""
    pair = credential.trying
    code = problem.code
    if pair is not credential.current:
        old = credential.current
        credential.turn = not old
        return X509Error("%s: %s" % (code, problem.detail), "x509.trial", "now" if old else problem.retry)
    credential.turn = True
    if code in ("mqtt.4", "mqtt.5"):
        credential.asking = bool(
            credential.product_key
        )  # next time, to hear whether it is another device's now
        return X509Error("%s; certificate %s" % (problem.detail, pair.serial), code, problem.retry)
    if code == "tls.alert":
        return X509Error("%s; certificate %s" % (problem.detail, pair.serial), "x509.refused", "later")
    return X509Error(problem.detail, code, problem.retry) if code == "x509.identity" else problem
