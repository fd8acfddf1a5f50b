"""Alerts: two bytes, level and code (id2.md 4.8)."""

import ssl

WARNING, FATAL = 1, 2
CLOSE = 0
UNEXPECTED, BAD_RECORD, OVERFLOW, HANDSHAKE, ILLEGAL, DECODE, VERSION = 10, 20, 22, 40, 47, 50, 70
GENERAL, NO_QUOTA, UNKNOWN_ID, BAD_CODE, INACTIVE = 160, 161, 162, 163, 164
BAD_CHALLENGE, UNSUPPORTED, SUSPENDED, DISCARDED, OTHER_PRODUCT = 166, 167, 168, 169, 170
BAD_PRODUCT, UNKNOWN_PRODUCT, BUSY, BAD_FINGERPRINT, SAME_FINGERPRINT = 171, 172, 173, 174, 175
BAD_RANDOM, BAD_HASH, BAD_KEY_TYPE = 176, 177, 178


class Alert(ssl.SSLError):
    """Ends a connection: with a fatal alert of this `code` to the peer, or because the peer sent one.

    An `SSLError`, since what carries iTLS carries TLS as well; `reason` is for the log.
    """

    def __init__(self, code, reason):
        super().__init__(reason)
        self.code, self.reason = code, reason
