"""X.509 on the platform's side: registered CAs, serials bound to devices, TLS with client certificates.

Written from the protocol page x509.md, whose sections the docstrings name.
"""
