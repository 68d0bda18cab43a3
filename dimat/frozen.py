"""What every part of a spec is made of: frozen values, names, whole numbers."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Strict, StringConstraints

NAME_PATTERN = r"^[a-z0-9][a-z0-9._-]{0,62}$"
Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN)]
# No control characters: databases refuse NUL in text, and a name of one line needs none of the others.
PLAIN = r"^[^\x00-\x1f]*$"
# Of `true` or "3" nobody can say whether a number was meant.
Whole = Annotated[int, Strict()]


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
