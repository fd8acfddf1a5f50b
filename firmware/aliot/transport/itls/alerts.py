"""What a refusal in iTLS means and what to do about it: id2.md 4.8, whose policy is inferred."""

from aliot import load
from aliot.errors import LinkError

# for aliot.advice
_ADVICE = """\
|160|check the ProductSecret
|161|buy more licences for the product
|162|the ID is unknown: burn it as it was issued
|163|the key is not the ID's: burn it as it was issued
|164|168|169|activate the identity in the ID2 console
|166|173|nothing to do: the board asks again
|167|176|177|178|check the identity's type in the ID2 console
|170|the identity is of another product: check ProductKey and region
|171|172|no such product with ID2: check ProductKey and region
|174|175|this board has had one: restore its identity from the ledger, or burn one
"""


class ItlsError(LinkError):
    """iTLS was refused: by this client for what `found` says (code `itls`), or by the server (`itls.163`).

    `alert` is the number that this client sends, or that the server sent.
    """

    def __init__(self, alert, found=None):
        code = "itls"
        if found is None:
            found = "refused by the server"
            code += ".%d" % alert
        retry = "now" if alert == 166 else "never" if 160 < alert < 179 and alert != 173 else "later"
        super().__init__("%s (%d)" % (found, alert), code, retry)
        self.alert = alert

    @property
    def advice(self):
        text = load("advice").advice(str(self.alert), _ADVICE)
        return text or "check the endpoint, and the burned key"
