"""What goes wrong on the host, in words for the person at the keyboard."""


class UserError(Exception):
    """One line: what is wrong and what to do about it.

    The command line prints it as `error: ...` and exits with `status`. Never
    put a secret into it.
    """

    def __init__(self, message, status=1):
        super().__init__(message)
        self.status = status
