"""Secrets and their traces. A secret has 256 random bits, so a plain sha256 is all that needs keeping:
there is nothing to guess that a slow hash would protect."""

import hashlib
import secrets

TOKEN_PREFIX = "awase_"


def new_secret() -> str:
    """43 characters of base64url."""
    return secrets.token_urlsafe(32)


def new_token() -> str:
    return TOKEN_PREFIX + new_secret()


def digest(secret: str) -> bytes:
    """sha256: (32,) bytes, what the database keeps."""
    return hashlib.sha256(secret.encode()).digest()
