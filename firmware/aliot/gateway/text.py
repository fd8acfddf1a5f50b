"""What a name or a secret may look like on a line and in JSON. Pure."""


def plain(text, most):
    """Whether that is a text of 1 to `most` characters that need no care in JSON or on a line."""
    if not isinstance(text, str) or not 0 < len(text) <= most:
        return False
    for byte in text.encode():
        if not 0x21 <= byte <= 0x7E or byte in b'"\\':
            return False
    return True
