"""Every error the API answers on purpose. How they become problem+json: `backend/problems.py`.

    ApiError
    |-- SignInNeeded        401  no valid session or token
    |-- Forbidden           403  signed in, but without the permission; or a request from a foreign page
    |-- NotFound            404
    |-- Conflict            409  the thing's state does not allow it
    |   `-- NameTaken
    |-- Stale               412  changed since it was read
    |-- Invalid             422  a value that cannot be used, with its place
    |-- HeaderNeeded        400
    `-- NotReady            503  something that pilots need is away

`code` is a key `errors.<code>` of the catalogue; what a person reads is said there, in two languages.
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from backend.text.schemas import Params


class ApiError(Exception):
    """Base.

    Attributes:
        status: HTTP status. code: of the catalogue. params: its values.
        field: dotted place in the body or query, or None.
    """

    status: ClassVar[int] = 500

    def __init__(
        self,
        code: str,
        params: Mapping[str, str | int | float | bool | None] | None = None,
        field: str | None = None,
    ) -> None:
        self.code = code
        self.params: Params = dict(params or {})
        self.field = field
        super().__init__(f"{code} {self.params}")


class SignInNeeded(ApiError):
    status = 401


class Forbidden(ApiError):
    status = 403


class NotFound(ApiError):
    status = 404

    def __init__(self, thing: str, id: str) -> None:
        super().__init__("not_found", {"thing": thing, "id": id})


class Conflict(ApiError):
    status = 409


class NameTaken(Conflict):
    def __init__(self, thing: str, name: str, field: str = "name") -> None:
        super().__init__("name_taken", {"thing": thing, "name": name}, field)


class Stale(ApiError):
    status = 412

    def __init__(self, given: str, current: int) -> None:
        super().__init__("stale_revision", {"given": given, "current": current})


class Invalid(ApiError):
    status = 422


class HeaderNeeded(ApiError):
    status = 400

    def __init__(self, header: str) -> None:
        super().__init__("header_needed", {"header": header}, header)


class NotReady(ApiError):
    status = 503

    def __init__(self, away: Sequence[str]) -> None:
        super().__init__("not_ready", {"away": ", ".join(away)})
