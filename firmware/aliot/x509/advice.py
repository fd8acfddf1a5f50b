"""What to do about an error of the X.509 way, one sentence for each code: read only when one is shown."""

_ADVICE = """\
|x509.missing|burn a certificate and its private key into this board
|x509.malformed|burn the certificate as X.509 and the key as PKCS#1, both RSA and DER, whole
|x509.mismatch|burn the key that this certificate was issued for
|x509.expired|issue a new certificate for this device, associate it and burn or offer it
|x509.future|wait until the certificate is valid, or check the SNTP server's time
|x509.refused|register the CA that signed this certificate, or check that it is active, and the certificate in date
|x509.push|check that this is the platform's X.509 host; the board asks again
|x509.identity|the certificate was bound to another device: check its serial number in the console, or burn this \
board anew
|x509.trial|nothing to do at once: the board goes on with its old certificate; check that the new one is associated
|mqtt.4|mqtt.5|associate this serial number with a device in the console, and check that the device is enabled
"""


def advice(code):
    """One sentence for a code, or empty."""
    at = _ADVICE.find("|" + code + "|")
    if at < 0:
        return ""
    end = _ADVICE.find("\n", at)
    return _ADVICE[_ADVICE.rfind("|", at, end) + 1 : end]
