"""HTTP bodies of signing in, users and tokens. Secrets go out once, at creation."""

from datetime import UTC, datetime
from typing import Annotated, Self

from pydantic import AwareDatetime, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from backend.auth.permissions import Role
from backend.text.schemas import Schema
from backend.web import Page

PersonName = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80, pattern=r"^[^\x00-\x1f]+$")
]
Secret = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class SignIn(Schema):
    """Either the secret of a sign-in link or an API token."""

    link_secret: Secret | None = None
    token: Secret | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.link_secret is None) == (self.token is None):
            raise PydanticCustomError("sign_in_one_secret", "Give either 'link_secret' or 'token'.")
        return self


class MeUser(Schema):
    id: str
    name: str


class Me(Schema):
    """Who is signed in. `csrf_token` goes into the header X-CSRF-Token of every request that writes
    (null for a bearer token, which needs none)."""

    user: MeUser
    roles: list[str]
    permissions: list[str]
    csrf_token: str | None


class UserCreate(Schema):
    name: PersonName
    role: Role


class User(Schema):
    id: str
    name: str
    roles: list[str]
    created_at: datetime
    disabled_at: datetime | None


class UserCreated(Schema):
    id: str
    name: str
    roles: list[str]
    sign_in_link: str


class SignInLink(Schema):
    sign_in_link: str
    expires_at: datetime


class UserPage(Page[User]):
    pass


class TokenCreate(Schema):
    name: PersonName
    role: Role
    # Later ones cannot all be told in universal time, which has no year 10000.
    expires_at: Annotated[AwareDatetime, Field(lt=datetime(9999, 1, 1, tzinfo=UTC))] | None = None


class Token(Schema):
    """`made_with`: id of the token with which it was made, and with which it will be revoked; null: by its user."""

    id: str
    name: str
    role: str
    user_id: str
    user_name: str
    made_with: str | None
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None


class TokenCreated(Token):
    secret: str = Field(description="Shown only now.")


class TokenPage(Page[Token]):
    pass
