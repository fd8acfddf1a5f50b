"""What a refusal in iTLS means and what to do about it: id2.md 4.8, whose policy is inferred."""

from aliot.errors import LinkError


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
