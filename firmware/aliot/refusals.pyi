from aliot.errors import AliotError, RegistrationError

class ConnectRefused(AliotError):
    number: int
    def __init__(self, number: int) -> None: ...

class SubscribeRefused(AliotError): ...

class RegistrationRefused(RegistrationError):
    number: int
    def __init__(self, number: int, message: str = "") -> None: ...
