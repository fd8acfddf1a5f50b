"""Who may use the console: one address that opens it once, and the sessions that came of it."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from hmac import compare_digest
from typing import Any

SESSIONS_MAX = 100


@dataclass
class Session:
    """One browser. `csrf` is what its forms carry, `notices` what its next page shows, `kept` what it had typed
    into a form that was refused.
    """

    csrf: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    notices: list[tuple[str, str]] = field(default_factory=list)
    kept: dict[str, str] = field(default_factory=dict)
    values: dict[Any, Any] = field(default_factory=dict)  # what pages remember of it

    def permits(self, csrf: object) -> bool:
        """Whether a form carries the session's own token."""
        return isinstance(csrf, str) and compare_digest(self.csrf.encode(), csrf.encode())


class Access:
    """Tokens and sessions live in memory: they end with the process."""

    def __init__(self) -> None:
        self.token: str | None = None
        self.sessions: dict[str, Session] = {}

    def new_token(self) -> str:
        """A token that `redeem` takes once; an older one is void from now on."""
        self.token = secrets.token_urlsafe(32)
        return self.token

    def redeem(self, token: str) -> str | None:
        """The cookie of a new session for the token, which is used up; None for any other text."""
        if self.token is None or not compare_digest(self.token.encode(), token.encode(errors="replace")):
            return None
        self.token = None
        cookie = secrets.token_urlsafe(32)
        self.sessions[cookie] = Session()
        if len(self.sessions) > SESSIONS_MAX:
            del self.sessions[next(iter(self.sessions))]
        return cookie

    def session(self, cookie: str | None) -> Session | None:
        return self.sessions.get(cookie or "")
