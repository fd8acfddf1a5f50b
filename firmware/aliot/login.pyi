from typing import Any

class Login:
    client_id: str
    username: str
    password: str

def login(
    credential: Any,
    endpoint: Any,
    timestamp: int | None = None,
    sign_method: str = "hmacsha256",
    extra: str = "",
) -> Login: ...
