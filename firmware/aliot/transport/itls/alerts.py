"""What a refusal in iTLS means and what to do about it: id2.md 4.8, whose policy is inferred."""

from aliot.transport.itls.protocol import ItlsError

# number, retry class, what it means and what to do
_ALERTS = """
160Lgeneral failure: check the product secret
161Nno licence left: buy more for the product
162Nunknown identity: check that the ID is burned as issued
163Nwrong device code: check that the key is burned as issued
164Nidentity not activated: see the ID2 console
166-challenge invalid
167Nunsupported by the server
168Nidentity suspended: see the ID2 console
169Nidentity discarded: see the ID2 console
170Nidentity of another product: check ProductKey and region
171NProductKey invalid
172NProductKey unknown, or not a product with ID2
173Lservice busy
174Nfingerprint invalid: burn an identity
175Nfingerprint has an identity already: restore it from the ledger
176Nserver random invalid
177Nhash type invalid
178Nkey type invalid
"""


def received(alert):
    """The error of a fatal alert of the server's."""
    at = _ALERTS.find("\n%03d" % alert)
    text = _ALERTS[at + 4 : _ALERTS.find("\n", at + 1)] if at >= 0 else "Lalert %d" % alert
    problem = ItlsError(text[1:], alert)
    problem.code = "itls.%d" % alert
    problem.retry = {"N": "never", "-": "now", "L": "later"}[text[0]]
    return problem
