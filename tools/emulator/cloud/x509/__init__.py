"""X.509 on the platform's side: registered CAs, serials bound to devices, TLS with client certificates.

Section numbers in this folder are those of the protocol's x509.md.
"""
