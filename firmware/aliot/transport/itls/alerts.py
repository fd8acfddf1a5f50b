"""What a refusal in iTLS means and what to do about it: id2.md 4.8, whose policy is inferred."""

from aliot.transport.itls import ItlsError

# for aliot.advice
ADVICE = """\
|160|a general failure: check the ProductSecret
|161|no licence is left: buy more for the product
|162|the ID is unknown: burn it as it was issued
|163|the key is not that of the ID: burn it as it was issued
|164|168|169|the identity is not active: look it up in the ID2 console
|166|173|nothing to do: the board asks again
|167|176|177|178|the server does not take this identity: check its type in the ID2 console
|170|the identity is of another product: check ProductKey and region
|171|172|no such product, or one without ID2: check ProductKey and region
|174|175|the platform has had this board before: restore its identity from the ledger, or burn one
"""


def received(alert):
    """The error of a fatal alert of the server's."""
    retry = "now" if alert == 166 else "never" if 160 < alert < 179 and alert != 173 else "later"
    return ItlsError("refused by the server", alert, "itls.%d" % alert, retry)
