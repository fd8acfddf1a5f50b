"""A maker's private CA for X.509 products: certificates, their ledger, the association files (x509.md)."""
