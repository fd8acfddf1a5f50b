"""How a board asks where to connect: the settings `auth` and `bootstrap`. Pure; dropped after a start."""

from aliot.bootstrap import AskingEndpoint
from aliot.credentials import DeviceCertificate, ProductCertificate
from aliot.errors import CredentialError


def endpoint(settings, credential, host, port, instance, register_host):
    """The endpoint that asks as `settings` say; CredentialError for what the identity cannot follow."""
    if settings.auth not in ("mqtt", "https") or settings.bootstrap not in ("none", "region", "global"):
        raise CredentialError("auth %s, bootstrap %s" % (settings.auth, settings.bootstrap), "endpoint")
    if not isinstance(credential, (DeviceCertificate, ProductCertificate)):
        raise CredentialError("auth and bootstrap are for identities with a secret", "endpoint")
    if settings.auth == "https" and credential.method == "regnwl":
        raise CredentialError("preregistration-free tokens cannot sign an HTTPS authentication", "endpoint")
    return AskingEndpoint(host, port, instance, register_host, settings.auth, settings.bootstrap)
