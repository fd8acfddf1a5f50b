"""Where a device connects; direct.md 5.1 and 5.2. Pure. aliot.settings makes one."""

PUBLIC = ("globalsign_r1", "globalsign_r6")  # what ports 443 and 1883 chain to; 8883 has the platform's own


class Endpoint:
    """MQTT over TLS at host:port, whose certificate chains to one of the built-in `roots`.

    instance        its id, "" on the legacy public instance
    register_host   of HTTPS registration, port 443
    """

    def __init__(self, host, port, instance="", register_host=""):
        self.go(host, port)
        self.instance = instance
        self.register_host = register_host

    def go(self, host, port):
        """Connect there from now on."""
        self.host = host
        self.port = port
        self.roots = ("aliyun",) if port == 8883 else PUBLIC

    def prepare(self, device):
        """Whether a connect can be made now; an endpoint that has to ask first puts one question instead."""
        return True

    def failed(self, device, problem):
        """A connect has failed: the error to report for it."""
        return problem
