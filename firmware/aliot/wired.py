"""A network that is no Wi-Fi of aliot's: Ethernet, or what the application joins itself."""


class Wired:
    """A network that somebody else keeps up."""

    name = ""

    def up(self):
        return True

    def join(self):
        pass

    def problem(self):
        return "wifi", ""
