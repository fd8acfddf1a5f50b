from aliot.errors import LinkError

class ItlsError(LinkError):
    alert: int
    def __init__(self, __alert: int, __found: str | None = None) -> None: ...
