"""Who a request comes from: the answer of signing in, and what services are told about the asker."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Principal:
    """A user, through a browser session or a token.

    Attributes:
        kind: `session` or `token`; `system` for the command line on the server itself.
        permissions: union of the roles' permissions; a token has those of its one role.
        csrf_token: of a session; None otherwise.
        token_id: the token, or that with which the session was begun.
        token_name: of the token that sends the request; None: no token does.
    """

    kind: Literal["session", "token", "system"]
    user_id: str
    user_name: str
    roles: tuple[str, ...]
    permissions: frozenset[str]
    csrf_token: str | None = None
    token_id: str | None = None
    token_name: str | None = None

    @property
    def called(self) -> str:
        """As what they do is signed: the user, and in brackets the token that did it for them."""
        return self.user_name if self.token_name is None else f"{self.user_name} ({self.token_name})"
