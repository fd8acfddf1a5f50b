"""The switches and limits of X.509: one switch for each row of x509.md that is inferred or in doubt."""

from tools.emulator.cloud.setting import Figure, Switch

CODES = (1, 2, 3, 4, 5)

SWITCHES = {
    # registering a CA
    "x509_ca_name": Switch(
        "ascii",
        ("ascii", "chinese"),
        "2, 11",
        "name of a CA: letters, digits and _, or Chinese characters as well",
    ),
    "x509_ca_self_signed": Switch(False, (False, True), "2", "whether a CA must be self-signed"),
    # association files
    "x509_serial_unique": Switch(
        "ca", ("ca", "account"), "3, 11", "among which certificates a serial is unique: of its CA, or of all"
    ),
    "x509_second_serial": Switch(
        "both",
        ("both", "replace", "refuse"),
        "3.2, 7",
        "a row for a device that has a certificate: it has both, the new one only, or the row is bad",
    ),
    # TLS
    "x509_refusal": Switch(
        "alert",
        ("alert", "close"),
        "4.4",
        "a certificate that TLS refuses, or none: TLS alert, or close without one",
    ),
    "x509_intermediates": Switch(
        False, (False, True), "2", "whether a CA between device certificate and registered CA is taken"
    ),
    "x509_inactive_ca": Switch(
        "alert",
        ("alert", *CODES, "close"),
        "7",
        "a certificate of a deactivated CA: TLS alert unknown_ca, CONNACK code, or close",
    ),
    # CONNECT
    "x509_unknown": Switch(
        5, (*CODES, "close"), "4.4", "known CA, serial bound to no device: CONNACK code, or close"
    ),
    "x509_revoked": Switch(5, (*CODES, "close"), "7", "a binding that is disabled: CONNACK code, or close"),
    "x509_disabled": Switch(
        5, (*CODES, "close"), "4.4", "a device that is disabled or deleted: CONNACK code, or close"
    ),
    "x509_identity": Switch(
        5,
        (*CODES, "ignored"),
        "4.3",
        "a user name that is not the certificate's device: CONNACK code, or not looked at",
    ),
    "x509_securemode": Switch(
        "if_present",
        ("if_present", "required", "ignored"),
        "4.1",
        "whether securemode must be 2 where there is one, must be there, or is not looked at",
    ),
    "x509_auth_type": Switch(
        "refused",
        ("refused", "ignored"),
        "4, 11",
        "a clientId with an authType: CONNACK bad_client_id, or not looked at",
    ),
    "x509_keep_alive": Switch(
        2, (*CODES, "clamp"), "4", "keep alive outside of 30 to 1200: CONNACK code, or clamp"
    ),
    # the identity push
    "x509_push": Switch(
        "always",
        ("always", "unknown"),
        "4.2, 11",
        "the identity push: after every CONNACK, or only when the CONNECT has no user name",
    ),
    "x509_push_qos": Switch(0, (0, 1), "4.2", "QoS of the identity push"),
}

TIMING = {
    "registration_code_seconds": Figure(
        0, 0, False, "2", "a registration code of a CA is good for this long; 0: until it is used"
    ),
}

LIMITS = {
    "authorities": Figure(10, 1, True, "2", "registered CAs of the account"),
    "association_rows": Figure(10_000, 1, True, "1", "rows of an association file"),
}
